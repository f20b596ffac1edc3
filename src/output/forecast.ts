/** What the table tells of a forecast: the group, today's imbalance, what each rotation would bring, and afterwards what came. */

import { PLANNING_SECONDS } from "../forecast/budget.ts";
import type { LikelyOrder, OrderWeights } from "../forecast/likely-orders.ts";
import { membersWithoutPod, type Ownership } from "../forecast/ownership.ts";
import type { ConsumerGroup } from "../kafka/group.ts";
import { cleanText } from "../text.ts";
import type { CandidateForecast, Decision, Forecast, Rotation, RunReport } from "../types.ts";
import { renderGrid, type GridRow } from "./grid.ts";
import { CUT_POD, wrap } from "./lines.ts";
import { note } from "./note.ts";
import { formatCount } from "./numbers.ts";
import type { Painter } from "./terminal.ts";

/** Of more candidates the best are shown, and how many there are. */
const CANDIDATES_SHOWN = 5;

export function forecastLines({ group, decision, rotation }: RunReport, width: number, paint: Painter): string[] {
  const made = decision?.forecast;
  return [
    ...(group?.ownership ? groupLines(group.ownership, width) : []),
    ...(made ? todayLines(made, width) : []),
    ...(made && made.candidates.length > 0 ? ["", ...candidateLines(made, decision.action, { width, paint })] : []),
    ...(rotation ? outcomeLines(rotation, width) : []),
  ];
}

function groupLines(ownership: Ownership, width: number): string[] {
  return [
    describe(ownership.group),
    ...note("members without a pod", membersWithoutPod(ownership)),
    ...note("pods without a member", ownership.podsWithoutMember),
  ].flatMap((text) => wrap("", text, width, 2));
}

/** "group orders (kafka): Stable, cooperative-sticky, 8 members, 32 partitions". */
function describe({ name = "", source, state, assignor, members, partitions }: ConsumerGroup): string {
  const facts = [state, assignor].flatMap((fact) => (fact === undefined ? [] : [cleanText(fact)]));
  const counts = [`${formatCount(members.length)} members`, `${formatCount(partitions.length)} partitions`];
  return `group ${cleanText(name)} (${source}): ${[...facts, ...counts].join(", ")}`;
}

function todayLines({ imbalance, percentile, floor, orders, candidates, planned }: Forecast, width: number): string[] {
  const today = `busiest / mean load ${fixed(imbalance)}, above ${percent(percentile)} of random deals; least possible ${fixed(floor)}`;
  const played = `${formatCount(candidates.length)} of ${formatCount(planned)} candidates`;
  const cut = `${played} forecast within the planning budget of ${PLANNING_SECONDS} s; the others were not looked at`;
  const lines = [today, `likely order: ${orderWords(orders)}`, ...(candidates.length < planned ? [cut] : [])];
  return lines.flatMap((text) => wrap("", text, width, 2));
}

/** "leave first 92 %, join first 8 %". */
function orderWords(orders: OrderWeights): string {
  return (Object.entries(orders) as [LikelyOrder, number][])
    .filter(([, weight]) => weight >= 0.005)
    .toSorted(([, a], [, b]) => b - a)
    .map(([order, weight]) => `${words(order)} ${percent(weight)}`)
    .join(", ");
}

type ColumnId = "pods" | "p10" | "p50" | "p90" | "worse" | "pays" | "choice";

function candidateLines(
  { candidates, chosen: best }: Forecast,
  action: Decision["action"],
  { width, paint }: { readonly width: number; readonly paint: Painter },
): string[] {
  // A run may hold although one would be good enough.
  const chosen = action === "rotate" ? best : undefined;
  const shown = candidates.filter((one, place) => place < CANDIDATES_SHOWN || one === chosen);
  const rows: GridRow<ColumnId>[] = shown.map((one) => candidateRow(one, one === chosen));
  const more = candidates.length - shown.length;
  return renderGrid<ColumnId>(
    {
      columns: [
        { id: "pods", title: "IF ROTATED", align: "left", least: 11, cut: CUT_POD },
        { id: "p10", title: "P10", align: "right", dropped: 2 },
        { id: "p50", title: "P50", align: "right" },
        { id: "p90", title: "P90", align: "right" },
        { id: "worse", title: "WORSE", align: "right", dropped: 3 },
        { id: "pays", title: "PAYS BACK", align: "right", dropped: 1 },
        { id: "choice", title: "", align: "left" },
      ],
      rows: [...rows, ...(more > 0 ? [`… ${formatCount(more)} more …`] : [])],
    },
    width,
    paint,
  );
}

function candidateRow(
  { pods, atOnce, after, worse, paybackSeconds }: CandidateForecast,
  chosen: boolean,
): GridRow<ColumnId> {
  return {
    pods: { text: cleanText(namesOf(pods).join(atOnce ? " + " : ", then ")) },
    p10: { text: fixed(after.p10) },
    p50: { text: fixed(after.p50) },
    p90: { text: fixed(after.p90) },
    worse: { text: percent(worse) },
    pays: { text: Number.isFinite(paybackSeconds) ? `${formatCount(Math.ceil(paybackSeconds))} s` : "never" },
    choice: { text: chosen ? "chosen" : "", style: "red" },
  };
}

/** Of a pair what the names do not share: "…x2k9q", "…b7fzm". Cut to a narrow column, whole ones would look alike. */
function namesOf(pods: readonly string[]): readonly string[] {
  const [first = "", ...others] = pods;
  const shared = first.slice(0, first.lastIndexOf("-") + 1);
  if (others.length === 0 || shared === "" || !others.every((pod) => pod.startsWith(shared))) return pods;
  return pods.map((pod) => `…${pod.slice(shared.length)}`);
}

function outcomeLines({ before, expected, after, order }: Rotation, width: number): string[] {
  const hoped = expected ? [`${fixed(expected.p50)} expected (${fixed(expected.p10)} to ${fixed(expected.p90)})`] : [];
  const came = after === undefined ? "what came is not known yet" : `came to ${fixed(after)}`;
  const how = order === undefined ? [] : [words(order)];
  return wrap("", [`busiest / mean load was ${fixed(before)}`, ...hoped, came, ...how].join(", "), width, 2);
}

function words(order: LikelyOrder): string {
  return order.replace("-", " ");
}

function fixed(value: number): string {
  return value.toFixed(2);
}

function percent(share: number): string {
  return share > 0 && share < 0.005 ? "< 1 %" : `${Math.round(share * 100)} %`;
}
