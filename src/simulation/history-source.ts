import { dealtLoads } from "../forecast/deals.ts";
import { imbalanceOf } from "../forecast/imbalance.ts";
import type { HistorySource } from "../ports.ts";
import { type Random, shuffled } from "../random.ts";
import type { SimulatedGroup } from "./consumer-group.ts";

/** Every half hour of a week. */
const MOMENTS = 336;

/**
 * The past of a group that chance has dealt out anew again and again, in equal numbers, at the rates that its partitions have today.
 *
 * @param group - as of now.
 * @param capacity - what a consumer can take, as a multiple of the mean load: it consumes no more.
 */
export function simulatedHistorySource(group: () => SimulatedGroup, capacity: number, random: Random): HistorySource {
  return {
    async imbalances(pods, signal) {
      signal.throwIfAborted();
      const rates = [...group().rates];
      const most = (capacity * rates.reduce((sum, rate) => sum + rate, 0)) / pods.length;
      return Array.from({ length: MOMENTS }, () => {
        const loads = dealtLoads(shuffled(rates, random), pods.length);
        return imbalanceOf([...loads].map((load) => Math.min(load, most)));
      });
    },
  };
}
