/** The second group of a namespace, installed as docs/operations.md says. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { expect, it } from "vitest";

import { renderKustomization } from "../harness/kustomize.ts";
import { ofKind } from "./shipped.ts";

const ROOT = resolve(import.meta.dirname, "../..");

it("shares no name with the first, and refers to its own objects", async () => {
  const operations = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const [, folder = "", overlay = ""] =
    /### A second group.*?say `(\w+)`.*?^```yaml\n(.*?)^```$/ms.exec(operations) ?? [];
  const checkout = realpathSync(mkdtempSync(join(tmpdir(), "second-group-")));
  try {
    cpSync(join(ROOT, "deploy/kubernetes"), checkout, { recursive: true });
    mkdirSync(join(checkout, folder));
    writeFileSync(join(checkout, folder, "kustomization.yaml"), overlay);
    const [first, second] = await Promise.all(
      ["base", folder].map((name) => renderKustomization(join(checkout, name))),
    );
    const namesOf = (manifests = first!) => manifests.map(({ kind, metadata }) => `${kind}/${metadata?.name}`);
    expect(namesOf(second)).toHaveLength(namesOf(first).length);
    expect(namesOf(second).filter((name) => namesOf(first).includes(name))).toEqual([]);

    const settings = ofKind("ConfigMap", second!) as { data?: object; metadata?: { name?: string } };
    expect(settings.data).toMatchObject({ DRY_RUN: "true", KUBE_LABEL_SELECTOR: "app=payments" });
    const job = JSON.stringify(ofKind("CronJob", second!));
    expect(job).toContain(`"configMapRef":{"name":"${settings.metadata?.name}"}`);
    expect(job).toContain('"serviceAccountName":"pod-rebalancer-payments"');
    expect(JSON.stringify(ofKind("RoleBinding", second!))).not.toContain('"name":"pod-rebalancer"');
    expect(JSON.stringify(ofKind("Role", second!))).toContain('"pod-rebalancer-deployment-payments"');
  } finally {
    rmSync(checkout, { recursive: true });
  }
});
