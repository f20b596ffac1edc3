import { stripVTControlCharacters } from "node:util";

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { POLICY } from "../../test/fakes/policy.ts";
import { altered, groupOf, manyPods, reportOf, UNEVEN, withSteps } from "../../test/fakes/report.ts";
import { RebalancerError } from "../errors.ts";
import type { RunReport } from "../types.ts";
import { widthOf } from "./lines.ts";
import { renderPlan } from "./table.ts";

const planned = reportOf(groupOf(UNEVEN));

function show(report: RunReport, columns = 100, policy = POLICY): string {
  return `\n${renderPlan(report, policy, { columns, colour: false })}`;
}

/** The paragraph that begins with this word. */
function paragraph(report: RunReport, first: string, columns = 100): string {
  const paragraphs = renderPlan(report, POLICY, { columns, colour: false }).split(/\n\n|(?<=\n)(?=[A-Z]{4,6} {2})/);
  return `\n${paragraphs.find((text) => text.startsWith(first)) ?? `no paragraph begins with ${first}`}`;
}

describe("a plan that would rotate", () => {
  it("shows the pods from the busiest to the least busy, the spread and its limits, and what the API said", () => {
    expect(show(planned)).toBe(`
shop  app=consumer   8 pods, 8 Ready   window 5m   samples: cpu 8/8  lag 8/8  rate 8/8  memory 8/8

POD                    NODE    AGE  CPU cores  LAG msgs  RATE msg/s  MEM MiB  SCORE  ROLE
consum…8f7cc7b5-x2k9q  node-3   2d       1.92    48,210       1,480      610   1.00  most busy
consum…8f7cc7b5-m4tqz  node-1   2d       0.71     2,140         560      540   0.34
consum…8f7cc7b5-q8w7r  node-2   2d       0.62     1,420         480      505   0.31
consum…8f7cc7b5-k5p3d  node-3   2d       0.55       980         430      490   0.28
consum…8f7cc7b5-t7n4s  node-1   2d       0.50       830         410      470   0.27
consum…8f7cc7b5-h9c6v  node-2   2d       0.42       540         350      455   0.24
consum…8f7cc7b5-z5l2f  node-2   8m       0.33       410         260      475   0.23  too young (10m)
consum…8f7cc7b5-b7fzm  node-1  27h       0.31       140         265      430   0.21  least busy

mean                                     0.67     6,834         529      497   0.36
busiest / mean                           2.9×      7.1×        2.8×     1.2×   2.8×
relative variance                        0.53      5.24        0.49     0.01   0.47
limit                                    0.30      0.50

cause  skewed_partitions: consumer-5d8f7cc7b5-x2k9q consumes 2.8 times the mean, at the same CPU for
       a message; with the owners unknown, it may be one hot partition or unequal numbers
       Spread the keys better, or have more partitions; a rotation deals the same partitions anew.

ROTATE  CPU is uneven (0.53 > 0.3); lag is uneven (5.24 > 0.5)
  1  consumer-5d8f7cc7b5-x2k9q  most busy   the API would accept the eviction
  2  consumer-5d8f7cc7b5-b7fzm  least busy  the API would accept the eviction; waits until 1 is
     replaced and Ready
Nothing was changed. To act: pod-rebalancer run --no-dry-run -n shop -l app=consumer
`);
  });

  it("repeats the other flags in the command to act, quoted for a shell", () => {
    const otherFlags = ["--cpu-query", "sum by (pod) (x)", "--cpu-floor", "0.1"];
    const text = renderPlan(planned, POLICY, { columns: 100, colour: false, otherFlags });
    expect(text).toContain("-l app=consumer --cpu-query 'sum by (pod) (x)' --cpu-floor 0.1\n");
  });

  it("drops what is least useful where there is little room", () => {
    expect(show(planned, 60)).toBe(`
shop  app=consumer   8 pods, 8 Ready   window 5m
  samples: cpu 8/8  lag 8/8  rate 8/8  memory 8/8

POD            AGE  CPU cores  LAG msgs  SCORE  ROLE
con…7b5-x2k9q   2d       1.92    48,210   1.00  most busy
con…7b5-m4tqz   2d       0.71     2,140   0.34
con…7b5-q8w7r   2d       0.62     1,420   0.31
con…7b5-k5p3d   2d       0.55       980   0.28
con…7b5-t7n4s   2d       0.50       830   0.27
con…7b5-h9c6v   2d       0.42       540   0.24
con…7b5-z5l2f   8m       0.33       410   0.23  too young
con…7b5-b7fzm  27h       0.31       140   0.21  least busy

mean                     0.67     6,834   0.36
max / mean               2.9×      7.1×   2.8×
rel. variance            0.53      5.24   0.47
limit                    0.30      0.50

cause  skewed_partitions: consumer-5d8f7cc7b5-x2k9q consumes
       2.8 times the mean, at the same CPU for a message;
       with the owners unknown, it may be one hot partition
       or unequal numbers
       Spread the keys better, or have more partitions; a
       rotation deals the same partitions anew.

ROTATE  CPU is uneven (0.53 > 0.3); lag is uneven (5.24 >
  0.5)
  1  cons…7cc7b5-x2k9q  most busy   the API would accept the
     eviction
  2  cons…7cc7b5-b7fzm  least busy  the API would accept the
     eviction; waits until 1 is replaced and Ready
Nothing was changed. To act:
  pod-rebalancer run --no-dry-run -n shop -l app=consumer
`);
  });

  it("quotes the selector for a shell, and never breaks the command", () => {
    const selector = "app in (orders, payments),tier!=it's";
    expect(
      show({ ...planned, selector }, 80)
        .split("\n")
        .slice(-3),
    ).toEqual([
      "Nothing was changed. To act:",
      String.raw`  pod-rebalancer run --no-dry-run -n shop -l 'app in (orders, payments),tier!=it'\''s'`,
      "",
    ]);
  });

  it("says what stands in the way, and gives no command then", () => {
    const why = "budget orders allows 0 disruptions";
    const removal = withSteps(
      planned.removal,
      { outcome: "skipped", why },
      { outcome: "skipped", why: `not touched, because ${why}` },
    );
    expect(paragraph({ ...planned, removal, reason: "blocked_by_pdb", detail: why }, "STOP")).toBe(`
STOP  blocked_by_pdb  A PodDisruptionBudget refuses the eviction: budget orders allows 0
  disruptions.
  Look at \`kubectl get pdb\`: it allows no disruption now, or several budgets match the pod.
Nothing was changed.
`);
  });

  it("names an extreme that is passed over", () => {
    const pods = altered(UNEVEN, ({ name }) => (name.endsWith("b7fzm") ? { state: "exempt" } : {}));
    const report = reportOf(groupOf(pods));
    expect(paragraph(report, "ROTATE")).toContain("  –  consumer-5d8f7cc7b5-b7fzm  least busy  passed over: exempt\n");
    expect(show(report)).toContain("0.21  least busy, exempt\n");
  });
});

describe("a live run", () => {
  const live = { ...planned, dryRun: false, durationMillis: 84_000 };
  const replaced = { outcome: "replaced", why: "evicted and replaced" } as const;

  it("says what became of each pod", () => {
    const report = { ...live, removal: withSteps(live.removal, replaced, replaced), reason: "rotated" as const };
    expect(paragraph(report, "ROTATE")).toBe(`
ROTATE  CPU is uneven (0.53 > 0.3); lag is uneven (5.24 > 0.5)
  1  consumer-5d8f7cc7b5-x2k9q  most busy   evicted and replaced
  2  consumer-5d8f7cc7b5-b7fzm  least busy  evicted and replaced
`);
    expect(paragraph(report, "DONE")).toBe("\nDONE  2 of 2 pods rotated in 84 s.\n");
  });

  it("ends with the error that stopped it", () => {
    const error = new RebalancerError("REPLACEMENT_LATE", "x2k9q was evicted and is not replaced after 5m");
    const removal = withSteps(
      live.removal,
      { outcome: "evicted", why: error.message },
      { outcome: "skipped", why: "not touched" },
    );
    const report = { ...live, removal, error, reason: "replacement_timeout" as const, exitCode: 3 as const };
    expect(paragraph(report, "ROTATE")).toContain("most busy   evicted: x2k9q was evicted and is not replaced");
    expect(paragraph(report, "ERROR")).toBe(`
ERROR  REPLACEMENT_LATE  x2k9q was evicted and is not replaced after 5m
  Look at the new pod: image, scheduling, readiness probe.
`);
  });
});

describe("a run that holds", () => {
  it("says why, and what could be done", () => {
    const pods = altered(UNEVEN, (_pod, index) => (index < 4 ? { lag: -1 } : {}));
    expect(paragraph(reportOf(groupOf(pods), { exitCode: 4 }), "HOLD")).toBe(`
HOLD  insufficient_metrics  Too few pods have every signal: 50 % of the Ready pods have every
  signal, 80 % are needed; samples: cpu 8/8, lag 4/8, rate 8/8, memory 8/8.
  Check the exporters, METRICS_PROFILE and the queries; a log at level debug has each query as it
  was sent.
`);
  });

  it("names rejected samples, pods without a controller, and why a pod has no score", () => {
    const pods = altered(UNEVEN, (_pod, index) => {
      if (index === 1) return { lag: -1 };
      if (index === 2) return { cpu: undefined, node: undefined };
      return index === 3
        ? { cpu: undefined, lag: undefined, rate: undefined, memory: undefined, state: "starting" }
        : {};
    });
    const text = show(reportOf(groupOf(pods, { snapshot: { bare: ["debug-shell"] } })));
    expect(text).toContain(`8 pods, 7 Ready   window 5m   samples: cpu 6/8  lag 6/8  rate 7/8  memory 7/8
lag rejected (not a number, or negative): consumer-5d8f7cc7b5-m4tqz
without a controller, ignored: debug-shell
`);
    expect(text).toMatch(/m4tqz +node-1 +2d +0\.71 +– +560 +540 +– {2}lag rejected\n/);
    expect(text).toMatch(/q8w7r +– +2d +– +1,420 +480 +505 +– {2}no cpu sample\n/);
    expect(text).toMatch(/k5p3d +node-3 +2d +– +– +– +– +– {2}not Ready\n/);
  });

  it("shows the floor that a mean does not reach, and has no column for a signal that was left out", () => {
    const pods = altered(UNEVEN, () => ({ cpu: 0.5, lag: 20 }));
    expect(show(reportOf(groupOf(pods, { without: ["rate"] })))).toContain(`
mean                                         0.50        20      497   0.96
floor of the mean                                       100
busiest / mean`);
  });

  it("names the controllers of an ambiguous group, and shows no figures that were not asked for", () => {
    const controllers = ["Deployment/orders", "StatefulSet/payments"];
    const group = groupOf(UNEVEN.slice(0, 2), { snapshot: { workload: undefined, controllers } });
    expect(show(reportOf(group, { exitCode: 4 }))).toBe(`
shop  app=consumer   2 pods, 2 Ready

POD                        NODE    AGE  ROLE
consumer-5d8f7cc7b5-m4tqz  node-1   2d
consumer-5d8f7cc7b5-x2k9q  node-3   2d

HOLD  ambiguous_group  The pods do not belong to exactly one Deployment or StatefulSet:
  Deployment/orders, StatefulSet/payments.
  Narrow KUBE_LABEL_SELECTOR until it matches one Deployment or StatefulSet; pods that anything else
  makes cannot be rotated.
`);
  });

  it("needs no table where there are no pods", () => {
    const group = groupOf([], { snapshot: { workload: undefined, controllers: [] } });
    expect(show(reportOf(group, { exitCode: 4 }))).toBe(`
shop  app=consumer   0 pods, 0 Ready

HOLD  no_pods  No pod matches the selector: the list is empty, as it is for a namespace that does
  not exist.
  Check KUBE_NAMESPACE (\`kubectl get namespace\`) and KUBE_LABEL_SELECTOR (\`kubectl get pods
  --show-labels\`).
`);
  });
});

describe("a run that failed before it saw the group", () => {
  it("shows the error and the advice", () => {
    const error = new RebalancerError("CONNECTION_FAILED", "list pods in namespace shop: connect ECONNREFUSED");
    expect(show(reportOf(undefined, { error, reason: "failed", detail: error.message, exitCode: 1 }))).toBe(`
shop  app=consumer

ERROR  CONNECTION_FAILED  list pods in namespace shop: connect ECONNREFUSED
  Check that the address (PROMETHEUS_ENDPOINT, KAFKA_BOOTSTRAP_SERVERS, or the kubeconfig's server)
  is right, resolves, and can be reached from here.
`);
  });
});

describe("a large group", () => {
  const pods = altered(manyPods(1_000), (_pod, index) => ({
    ...(index % 90 === 20 && { lag: undefined }),
    ...(index % 70 === 3 && { ageSeconds: 100 }),
  }));
  const lines = show(reportOf(groupOf(pods))).split("\n");

  it("shows both ends, and counts what lies between", () => {
    const names = lines.flatMap((line) => line.match(/^consumer-\d{4}/) ?? []);
    expect(names.slice(0, 10)).toEqual(pods.slice(0, 10).map(({ name }) => name));
    expect(names.slice(10, 15)).toEqual(pods.slice(-5).map(({ name }) => name));
    expect(lines).toContain("… 974 pods between: 14 too young (10m) …");
  });

  it("shows some of the pods without a score, and counts the rest", () => {
    expect(lines.filter((line) => line.endsWith("no lag sample"))).toHaveLength(5);
    expect(lines).toContain("… 6 pods without a score: 6 no lag sample …");
  });

  it("shows the target among many that are as idle", () => {
    const idle = altered(manyPods(1_000), (_pod, index) => (index < 500 ? {} : { cpu: 0.1, lag: 0 }));
    expect(show(reportOf(groupOf(idle)))).toMatch(
      /\n… 984 pods between …\nconsumer-0500 .* least busy\nconsumer-0995 /,
    );
  });

  it("shows every target, however many there are", () => {
    const policy = { ...POLICY, maxPodsToDelete: 40 };
    const text = show(reportOf(groupOf(pods, { policy }), {}, policy), 100, policy);
    expect(text.match(/^consumer.*(most|least) busy/gm)).toHaveLength(40);
  });
});

describe("whatever is shown", () => {
  const label = fc.string({
    unit: fc.constantFrom("a", "b", "x", "0", "1", "9", "-", "."),
    minLength: 1,
    maxLength: 60,
  });
  const value = fc.oneof(
    fc.double({ min: 0, max: 1e4, noNaN: true }),
    fc.double({ min: 0, max: 1e100, noNaN: true }),
    fc.constantFrom(undefined, -1, 0),
  );
  const pod = fc.record({
    name: label,
    node: fc.option(label, { nil: undefined }),
    ageSeconds: fc.integer({ min: -10, max: 1e9 }),
    cpu: value,
    lag: value,
    rate: value,
    memory: value,
    state: fc.constantFrom("ready", "ready", "ready", "starting", "terminating", "exempt"),
  });
  const dirty = fc.string({
    unit: fc.oneof(
      fc.string({ unit: "binary", minLength: 1, maxLength: 1 }),
      fc.constantFrom("\u001b[31m", "\n", " ", "\u202e"),
    ),
  });
  const report = fc
    .record({
      pods: fc.uniqueArray(pod, { selector: ({ name }) => name, maxLength: 60 }),
      bare: fc.array(dirty, { maxLength: 8 }),
      why: dirty,
      selector: dirty,
      failed: fc.boolean(),
      maxPodsToDelete: fc.integer({ min: 1, max: 12 }),
    })
    .map(({ pods, bare, why, selector, failed, maxPodsToDelete }) => {
      const policy = { ...POLICY, maxPodsToDelete, minMetricsCoverage: 0, minPodsRequired: 1 };
      const plan = reportOf(groupOf(pods, { policy, snapshot: { bare } }), { selector }, policy);
      const steps = Array.from({ length: 12 }, () => ({ outcome: "failed", why }) as const);
      const removal = plan.removal && withSteps(plan.removal, ...steps.slice(0, plan.removal.steps.length));
      const error = failed ? new RebalancerError("SERVER_ERROR", why) : undefined;
      return { report: { ...plan, removal, error }, policy };
    });
  const columns = fc.integer({ min: 40, max: 220 });

  it("fits the width, but for the command to copy", () => {
    fc.assert(
      fc.property(report, columns, (given, width) => {
        const lines = show(given.report, width, given.policy).split("\n");
        const others = lines.filter((line) => !line.startsWith("  pod-rebalancer run"));
        for (const line of others) expect(widthOf(line)).toBeLessThanOrEqual(width);
      }),
    );
  });

  it("holds no control characters but line ends, and no blanks before them", () => {
    fc.assert(
      fc.property(report, columns, (given, width) => {
        const text = show(given.report, width, given.policy);
        expect(text.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
        expect(text).not.toMatch(/ $/m);
      }),
    );
  });

  it("is clean also where the API's own words are told", () => {
    const why = "webhook said \u001b[2J\u202eno";
    const removal = withSteps(planned.removal, { outcome: "failed", why }, { outcome: "skipped", why });
    expect(show({ ...planned, removal })).toContain("most busy   failed: webhook said no\n");
  });

  it("marks in colour the targets and what is over its limit", () => {
    const painted = renderPlan(planned, POLICY, { columns: 100, colour: true }).replaceAll("\u001b[", "<");
    expect(painted).toContain("<31mmost busy<39m\n");
    expect(painted).toContain("<36mleast busy<39m\n");
    expect(painted).toMatch(/variance.*<33m0\.53<39m +<33m5\.24<39m +0\.49 /);
    expect(painted).toContain("<33mROTATE<39m  CPU");
  });

  it("reads the same in colour", () => {
    fc.assert(
      fc.property(report, columns, (given, width) => {
        const painted = renderPlan(given.report, given.policy, { columns: width, colour: true });
        expect(`\n${stripVTControlCharacters(painted)}`).toBe(show(given.report, width, given.policy));
      }),
    );
  });

  it("has numbers that end where their column's title ends", () => {
    fc.assert(
      fc.property(report, columns, (given, width) => {
        const lines = show(given.report, width, given.policy).split("\n");
        const head = lines.findIndex((line) => line.startsWith("POD "));
        if (head === -1) return;
        const title = lines[head] ?? "";
        const rows = lines.slice(head + 1, lines.indexOf("", head)).filter((line) => !line.startsWith("… "));
        const edges = [...title.matchAll(/AGE|CPU cores|LAG msgs|RATE msg\/s|MEM MiB|SCORE/g)].map(
          ({ 0: text, index }) => index + text.length,
        );
        for (const row of rows) {
          for (const edge of edges) expect(row.slice(edge - 1, edge + 1)).toMatch(/^\S ?$/);
        }
      }),
    );
  });
});
