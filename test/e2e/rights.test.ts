/** The shipped Role holds no right too many: a run that lacks any one of them says which. */

import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

import { statefulSet } from "../harness/workloads.ts";
import { expectEnd } from "./product.ts";
import { removedIn } from "./recording.ts";
import { missing, type Scene, type Stage, startStage } from "./scene.ts";
import { ofKind, renderShipped } from "./shipped.ts";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** One verb for one resource. */
interface Right {
  readonly verb: string;
  readonly resource: string;
  readonly group: string;
  readonly name: string | undefined;
}

function rightsOf(rules: readonly Rule[]): Right[] {
  return rules.flatMap(({ apiGroups, resources, verbs, resourceNames = [] }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => ({ verb, resource, group, name: resourceNames[0] }))),
    ),
  );
}

function wordsOf({ verb, resource }: Right): string {
  return `${verb} ${resource}`;
}

/** All the other rights. */
function without({ verb, resource }: Right, rules: readonly Rule[]): Rule[] {
  const parts = rules.flatMap((rule) => [
    { ...rule, resources: rule.resources.filter((each) => each !== resource) },
    {
      ...rule,
      resources: rule.resources.filter((each) => each === resource),
      verbs: rule.verbs.filter((each) => each !== verb),
    },
  ]);
  return parts.filter(({ resources, verbs }) => resources.length > 0 && verbs.length > 0);
}

function rulesOf(manifests: Scene["manifests"]): readonly Rule[] {
  return ofKind("Role", manifests)["rules"] as readonly Rule[];
}

/** What the API server makes of the Role by now. */
async function isAllowed(scene: Scene, { verb, resource: whole, group, name }: Right): Promise<boolean> {
  const { namespace } = scene;
  const [resource, subresource] = whole.split("/");
  const review = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SubjectAccessReview",
    spec: {
      user: `system:serviceaccount:${namespace}:pod-rebalancer`,
      resourceAttributes: { namespace, verb, group, resource, subresource, name },
    },
  };
  const path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
  return (await scene.request<{ status: { allowed: boolean } }>("POST", path, review)).status.allowed;
}

const RIGHTS = missing ? [] : rightsOf(rulesOf(await renderShipped("live")));

describe.skipIf(missing)(
  `the built product on a real control plane, without the right to${missing ? ` (${missing})` : ""}`,
  () => {
    let stage: Stage;
    let ofDeployment: Scene;
    let ofStatefulSet: Scene;
    /** Where the present test took a right away. */
    let poorer: Scene | undefined;
    beforeAll(async () => {
      stage = await startStage();
      const consumer = statefulSet({ name: "consumer", replicas: 4 });
      [ofDeployment, ofStatefulSet] = await Promise.all([
        stage.scene(),
        stage.scene({ workloads: [consumer], lease: "pod-rebalancer-statefulset-consumer" }),
      ]);
    });
    afterEach(async () => {
      if (poorer === undefined) return;
      await grant(poorer, rulesOf(poorer.manifests));
      // The run may not have been able to release it.
      await poorer.request("DELETE", poorer.path("coordination.k8s.io/v1", "leases"));
      poorer = undefined;
    });
    afterAll(() => stage[Symbol.asyncDispose]());

    /** Resolves when the API server has noticed. */
    async function grant(scene: Scene, rules: readonly Rule[]): Promise<void> {
      const path = scene.path("rbac.authorization.k8s.io/v1", "roles/pod-rebalancer");
      await scene.request("PUT", path, { ...ofKind("Role", scene.manifests), rules });
      const granted = new Set(rightsOf(rules).map(wordsOf));
      for (const right of rightsOf(rulesOf(scene.manifests))) {
        const wanted = granted.has(wordsOf(right));
        const noticed = async () => (await isAllowed(scene, right)) === wanted;
        await stage.plane.waitFor(`${wordsOf(right)}: ${String(wanted)}`, noticed, 30_000);
      }
    }

    async function runWithout(right: Right, ...args: string[]) {
      // The names of a StatefulSet's pods, and so their metrics, outlive an eviction.
      const scene = ["statefulsets", "events"].includes(right.resource) ? ofStatefulSet : ofDeployment;
      poorer = scene;
      await grant(scene, without(right, rulesOf(scene.manifests)));
      await using recording = await scene.watch();
      const outcome = await scene.run("--max-pods-to-delete", "1", ...args);
      return { scene, outcome, removed: removedIn(recording).map(({ uid }) => uid) };
    }

    const forEvents = RIGHTS.filter(({ resource }) => resource === "events");
    const others = RIGHTS.filter(({ resource }) => resource !== "events");

    it.each(others.map((right) => [wordsOf(right), right] as const))(
      "%s says so and removes nothing",
      async (_words, right) => {
        const { scene, outcome, removed } = await runWithout(right);
        const message = expect.stringMatching(new RegExp(`cannot ${right.verb} resource "${right.resource}"`));
        const advice = expect.stringMatching(/deploy\/kubernetes\/base\/role\.yaml/);
        expect(expectEnd(outcome, 1, "failed").error).toMatchObject({ code: "FORBIDDEN", message, advice });
        expect(outcome.log.at(-1)).toMatchObject({ level: "error", msg: message });
        expect(removed).toEqual([]);
        expect((await scene.lease())?.removals ?? []).toEqual([]);
      },
    );

    it.each(forEvents.map((right) => [wordsOf(right), right] as const))(
      "%s rotates all the same, and warns",
      async (_words, right) => {
        const { scene, outcome, removed } = await runWithout(right);
        expectEnd(outcome, 0, "rotated");
        expect(removed).toEqual([scene.hot.metadata.uid]);
        const msg = expect.stringMatching(new RegExp(`cannot ${right.verb} resource "${right.resource}"`));
        expect(outcome.log.filter(({ level }) => level === "warn")).toMatchObject([{ msg }]);
        expect(await scene.events()).toEqual([]);
      },
    );

    it.each(RIGHTS.filter(({ resource, verb }) => resource === "leases" && verb === "update").map((right) => [right]))(
      "%j a dry run says that a live run would fail",
      async (right) => {
        const { outcome, scene } = await runWithout(right, "--dry-run");
        const { detail } = expectEnd(outcome, 1, "not_allowed");
        expect(detail).toBe(
          `not allowed to take the Lease (no right to update leases/${right.name} in namespace ${scene.namespace})`,
        );
      },
    );

    it.each(forEvents.map((right) => [right]))("%j a dry run says that no Event would be written", async (right) => {
      const { outcome } = await runWithout(right, "--dry-run");
      const why = expect.stringMatching(/; it would write no Event \(no right to create events in namespace /);
      expect(expectEnd(outcome, 0, "would_rotate").removal?.steps).toMatchObject([{ why }]);
    });

    it("create pods/eviction still plans, and says that a live run would not be allowed to act", async () => {
      const right = RIGHTS.find(({ resource }) => resource === "pods/eviction")!;
      const { outcome } = await runWithout(right, "--dry-run");
      const why = expect.stringMatching(/^not allowed to evict \(no right to create pods\/eviction in namespace /);
      expect(expectEnd(outcome, 1, "not_allowed").removal?.steps).toMatchObject([{ outcome: "skipped", why }]);
    });
  },
);
