/** Rotation after rotation of one group on a real broker, each at rates that were dealt anew: what was forecast, and what came. */

import { setTimeout as sleep } from "node:timers/promises";

import { imbalanceOf, lowestImbalance } from "../../src/forecast/imbalance.ts";
import type { JsonReport } from "../../src/output/json.ts";
import type { Outcome } from "../e2e/product.ts";
import {
  type CellOptions,
  installIn,
  keep,
  type LoopGroup,
  ownershipIn,
  type Stage,
  startGroup,
  unevenRates,
} from "./cell.ts";

/** One run of the product. Imbalance is busiest / mean, of the true rates and of what the consumers say that they own. */
export interface Turn {
  readonly before: number;
  readonly after: number;
  readonly floor: number;
  readonly reason: string | undefined;
  readonly pods: readonly string[];
  readonly rotation: JsonReport["rotation"];
  readonly exitCode: number | null;
  /** What went wrong, where anything did. */
  readonly trouble: string;
}

/** Rates are measured over two samples some seconds apart: they must be steady by then, and the metrics' window filled. */
const STEADY_MILLIS = 14_000;

/**
 * @param turns - how many runs at most.
 * @param enough - whether what was played so far need not be followed by another.
 */
export async function playTurns(
  stage: Stage,
  options: CellOptions,
  turns: number,
  enough: (played: readonly Turn[]) => boolean,
): Promise<readonly Turn[]> {
  await using running = new AsyncDisposableStack();
  const group = await startGroup(stage, options, running);
  const { KAFKA_BOOTSTRAP_SERVERS, KAFKA_GROUP } = {
    KAFKA_BOOTSTRAP_SERVERS: stage.kafka.bootstrap,
    KAFKA_GROUP: group.topic,
  };
  const settings = { ...options.settings, KAFKA_BOOTSTRAP_SERVERS, KAFKA_GROUP };
  const product = await installIn(stage, group, { ...options, settings });
  const played: Turn[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    played.push(await playTurn(group, options, turn, () => product.run()));
    await keep(`turns ${options.name}`, played);
    if (enough(played)) break;
    await forgetRemovals(stage, group, options);
  }
  return played;
}

async function playTurn(
  group: LoopGroup,
  options: CellOptions,
  turn: number,
  run: () => Promise<Outcome>,
): Promise<Turn> {
  const { kubelet } = group;
  const rates = unevenRates(options.rates, ownershipIn(kubelet), options.unevenness, turn + 1);
  await using writing = new AsyncDisposableStack();
  writing.use(await group.produce(rates));
  await sleep(STEADY_MILLIS);
  const before = imbalanceIn(group, rates);
  const { report, reason, exitCode, stderr } = await run();
  await group.settled();
  return {
    before,
    after: imbalanceIn(group, rates),
    floor: lowestImbalance(rates, group.replicas),
    reason,
    pods: report?.removal?.steps.map(({ pod }) => pod) ?? [],
    rotation: report?.rotation ?? null,
    exitCode,
    trouble: exitCode === 0 ? "" : stderr.slice(-2_000),
  };
}

function imbalanceIn({ kubelet }: LoopGroup, rates: readonly number[]): number {
  const hands = [...ownershipIn(kubelet).values()];
  return imbalanceOf(hands.map((owned) => owned.reduce((sum, partition) => sum + (rates[partition] ?? 0), 0)));
}

/** Nobody waits for the cooldown; what is known of rotations stays. */
async function forgetRemovals({ plane }: Stage, { namespace }: LoopGroup, { lease }: CellOptions): Promise<void> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${lease ?? "pod-rebalancer-deployment-consumer"}`;
  await plane.request("PATCH", path, { metadata: { annotations: { "pod-rebalancer.io/removals": null } } });
}
