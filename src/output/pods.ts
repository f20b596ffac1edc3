/** The pods of a group as a table: one row a pod, busiest first, and below them what the group looks like as a whole. */

import { ineligibility } from "../decision/eligible.ts";
import { roleWords } from "../sentences.ts";
import { cleanText } from "../text.ts";
import { type Decision, type Group, type PodState, type Policy, type Role, type Signal, SIGNALS } from "../types.ts";
import type { Cell, Grid, GridColumn, GridRow } from "./grid.ts";
import { CUT_NODE, CUT_POD } from "./lines.ts";
import { formatAge, formatCount, formatReading } from "./numbers.ts";
import { statisticsRows } from "./statistics.ts";
import type { Style } from "./terminal.ts";

/** Up to so many pods, each has its row; of more, the ends, the targets and some of those without a score. */
const ALL_SHOWN = 30;
const TOP_SHOWN = 10;
const BOTTOM_SHOWN = 5;
const UNSCORED_SHOWN = 5;

type ColumnId = "pod" | "node" | "age" | Signal | "score" | "role";
type Row = GridRow<ColumnId>;

/** What is left out first on a narrow terminal has the lowest `dropped`; the pod, its score and its role always stay. */
const COLUMNS: readonly GridColumn<ColumnId>[] = [
  { id: "pod", title: "POD", align: "left", least: 13, cut: CUT_POD },
  { id: "node", title: "NODE", align: "left", least: 8, cut: CUT_NODE, dropped: 1 },
  { id: "age", title: "AGE", align: "right", dropped: 4 },
  { id: "cpu", title: "CPU cores", align: "right", dropped: 5 },
  { id: "lag", title: "LAG msgs", align: "right", dropped: 6 },
  { id: "rate", title: "RATE msg/s", align: "right", dropped: 2 },
  { id: "memory", title: "MEM MiB", align: "right", dropped: 3 },
  { id: "score", title: "SCORE", align: "right" },
  { id: "role", title: "ROLE", align: "left", least: 10 },
];

/** A pod, and what there is to say about it. */
interface Judged {
  readonly state: PodState;
  /** Set for a target and for an extreme that is passed over. */
  readonly role: Role | undefined;
  /** Target, passed over, not scored or not eligible: a few words; empty for a pod in the middle. */
  readonly words: string;
  readonly style: Style | undefined;
}

/** A group's pods and statistics. `decision` names the targets and the extremes that are passed over. */
export function podGrid(group: Group, decision: Decision | undefined, policy: Policy): Grid<ColumnId> {
  const judged = group.pods.map((state) => judge(state, group, decision, policy));
  const scored = judged.filter(({ state }) => state.score !== undefined).toSorted(byScore);
  const unscored = judged.filter(({ state }) => state.score === undefined);
  const nodeName = shortNodeName(group);
  const show = (pods: readonly Judged[]) => pods.map((pod) => podRow(pod, group, nodeName));
  return {
    columns: COLUMNS.filter(({ id }) => isMeasured(id, group)),
    rows: [...selectRows(scored, unscored, show), ...statisticsRows(group, policy)],
  };
}

/** A signal that was left out has no column, and without signals there is no score. */
function isMeasured(id: ColumnId, { signalsInUse }: Group): boolean {
  if (id === "score") return signalsInUse.length > 0;
  const signal = SIGNALS.find((name) => name === id);
  return signal === undefined || signalsInUse.includes(signal);
}

function judge(state: PodState, group: Group, decision: Decision | undefined, policy: Policy): Judged {
  const role = roleOf(state, decision);
  const standing = ineligibility(state, policy) ?? (state.score === undefined ? missing(state, group) : "");
  const words = role && standing ? `${roleWords(role)}, ${standing}` : role ? roleWords(role) : standing;
  const target = role && !standing;
  return { state, role, words, style: target ? ROLE_STYLES[role] : standing ? "dim" : undefined };
}

const ROLE_STYLES: Readonly<Record<Role, Style>> = { most_busy: "red", least_busy: "cyan", best_forecast: "red" };

function roleOf({ pod }: PodState, decision: Decision | undefined): Role | undefined {
  const target = decision?.action === "rotate" && decision.targets.find((chosen) => chosen.pod.uid === pod.uid);
  const passed = decision?.passedOver.find((one) => one.pod === pod.name);
  // Of those that were never tried nobody knows what they would have brought.
  return target ? target.role : passed?.role === "best_forecast" ? undefined : passed?.role;
}

/** Why a pod has no score: "no lag sample", "lag rejected". */
function missing({ pod, signals }: PodState, { signalsInUse, rejected }: Group): string {
  const absent = signalsInUse.filter((signal) => signals[signal] === undefined);
  const refused = absent.filter((signal) => rejected[signal]?.includes(pod.name));
  if (refused.length > 0) return `${refused.join(", ")} rejected`;
  if (absent.length === signalsInUse.length) return absent.length === 0 ? "" : "no samples";
  return `no ${absent.join(", ")} sample`;
}

function byScore(a: Judged, b: Judged): number {
  return (b.state.score ?? 0) - (a.state.score ?? 0) || (a.state.pod.name < b.state.pod.name ? -1 : 1);
}

/** All pods, or both ends of a large group, with what lies between in a sentence. A pod with a role is always shown. */
function selectRows(
  scored: readonly Judged[],
  unscored: readonly Judged[],
  show: (pods: readonly Judged[]) => Row[],
): Row[] {
  if (scored.length + unscored.length <= ALL_SHOWN) return show([...scored, ...unscored]);
  const bottom = Math.max(TOP_SHOWN, scored.length - BOTTOM_SHOWN);
  const middle = scored.slice(TOP_SHOWN, bottom);
  return [
    ...show(scored.slice(0, TOP_SHOWN)),
    ...show(middle.filter(({ role }) => role === "most_busy")),
    ...gap(
      middle.filter(({ role }) => role === undefined),
      "between",
    ),
    // Among equals the first by name is chosen, which is not the last in the table.
    ...show(middle.filter(({ role }) => role === "least_busy")),
    ...show(scored.slice(bottom)),
    ...show(unscored.slice(0, UNSCORED_SHOWN)),
    ...gap(unscored.slice(UNSCORED_SHOWN), "without a score"),
  ];
}

/** "… 974 pods between: 14 too young (10m), 2 exempt …" */
function gap(pods: readonly Judged[], where: string): Row[] {
  if (pods.length === 0) return [];
  const alike = Object.entries(Object.groupBy(pods, ({ words }) => words)).filter(([words]) => words !== "");
  const counts = alike.map(([words, group = []]) => `${formatCount(group.length)} ${words}`).join(", ");
  return [`… ${formatCount(pods.length)} pods ${where}${counts && `: ${counts}`} …`];
}

function podRow({ state, words, style }: Judged, group: Group, nodeName: (node: string) => string): Row {
  const { pod, ageSeconds, signals, score } = state;
  const cells: Partial<Record<ColumnId, Cell>> = {
    pod: { text: cleanText(pod.name), style },
    node: { text: pod.node === undefined ? "–" : cleanText(nodeName(pod.node)) },
    age: { text: formatAge(ageSeconds) },
    score: valueCell("score", score, style),
    role: { text: words, short: words.replace(/ \(.*\)$/, ""), style },
  };
  for (const signal of group.signalsInUse) cells[signal] = valueCell(signal, signals[signal]);
  return cells;
}

function valueCell(name: Signal | "score", value: number | undefined, style?: Style): Cell {
  return { text: value === undefined ? "–" : formatReading(name, value), style };
}

/** Nodes of one domain are told apart by their host names; the domain would only take the room. */
function shortNodeName({ pods }: Group): (node: string) => string {
  const domains = new Set(pods.flatMap(({ pod }) => (pod.node === undefined ? [] : [pod.node.replace(/^[^.]*/, "")])));
  return domains.size === 1 ? (node) => node.replace(/\..*/, "") : (node) => node;
}
