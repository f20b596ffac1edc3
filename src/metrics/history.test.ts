import { describe, expect, it } from "vitest";

import { createManualClock } from "../../test/fakes/manual-clock.ts";
import { METRICS_OPTIONS } from "../../test/fakes/metrics-options.ts";
import { podsNamed } from "../../test/fakes/pods.ts";
import type { TimeRange } from "../prometheus/client.ts";
import type { Series } from "../prometheus/parse.ts";
import { createHistorySource } from "./history.ts";

const NEVER = new AbortController().signal;

async function read(series: readonly Series[], rate = "RATE", pods = podsNamed(["a"])) {
  const asked: { what: string; promql: string; range: TimeRange }[] = [];
  const prometheus = {
    queryRange(what: string, promql: string, range: TimeRange) {
      asked.push({ what, promql, range });
      return Promise.resolve([...series]);
    },
  };
  const clock = createManualClock(new Date("2026-03-08T12:00:00Z"));
  const source = createHistorySource(prometheus, { ...METRICS_OPTIONS, queries: { rate } }, clock);
  return { imbalances: await source.imbalances(pods, NEVER), asked };
}

describe("the past of a group", () => {
  it("is asked for with one range query: busiest / mean of the rate, each half hour of a week", async () => {
    const { imbalances, asked } = await read([{ labels: {}, values: [1.5, Number.NaN, 1, Number.POSITIVE_INFINITY] }]);
    expect(imbalances).toEqual([1.5, 1]);
    const range = {
      start: new Date("2026-03-01T12:00:00Z"),
      end: new Date("2026-03-08T12:00:00Z"),
      stepSeconds: 1_800,
    };
    expect(asked).toEqual([{ what: "history query", promql: "max(RATE\n) / avg(RATE\n)", range }]);
  });

  it("is nothing where the server knows nothing", async () => {
    expect((await read([])).imbalances).toEqual([]);
  });

  it("is not asked for where the rate is left out, or where there are no pods", async () => {
    for (const args of [["none"], ["RATE", []]] as const) {
      const { imbalances, asked } = await read([], args[0], args[1] ? [] : undefined);
      expect(imbalances).toEqual([]);
      expect(asked).toEqual([]);
    }
  });
});
