/** What stands between a run's push and a person on call, on loopback: Pushgateway, vmalert, Alertmanager. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { ensureTool } from "./build.ts";
import { freePorts, startProcess, temporaryFolder, waitUntilReady } from "./processes.ts";
import { findProgram, isOk, READY_TIMEOUT_MILLIS } from "./prometheus.ts";

/** A server that is asked over HTTP. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
}

/** Debian's Pushgateway, empty, and without its file of earlier groups. */
export function startPushgateway(): Promise<Receiver> {
  return startServer("pushgateway", "/-/ready", async (listen) => ({
    program: findProgram("prometheus-pushgateway"),
    args: [`--web.listen-address=${listen}`, "--persistence.file="],
  }));
}

/** Debian's Alertmanager, which keeps what it is sent and tells nobody. */
export function startAlertmanager(): Promise<Receiver> {
  return startServer("alertmanager", "/-/ready", async (listen, directory) => {
    const config = join(directory, "alertmanager.yml");
    await writeFile(config, JSON.stringify({ route: { receiver: "nobody" }, receivers: [{ name: "nobody" }] }));
    return {
      program: findProgram("prometheus-alertmanager"),
      args: [
        `--config.file=${config}`,
        `--storage.path=${join(directory, "data")}`,
        `--web.listen-address=${listen}`,
        "--cluster.listen-address=",
      ],
    };
  });
}

/** VictoriaMetrics' rule engine: evaluates the rules on a server once a second and writes `ALERTS` back to it. */
export function startVmalert(
  rules: string,
  { metrics, alertmanager }: Record<"metrics" | "alertmanager", string>,
): Promise<Receiver> {
  return startServer("vmalert", "/health", async (listen) => ({
    program: await ensureTool("vmalert"),
    args: [
      `-rule=${rules}`,
      `-datasource.url=${metrics}`,
      `-remoteWrite.url=${metrics}`,
      `-notifier.url=${alertmanager}`,
      `-httpListenAddr=${listen}`,
      "-evaluationInterval=1s",
      // It would look 30 s back, for samples that come late.
      "-rule.evalDelay=0s",
      "-remoteWrite.flushInterval=200ms",
    ],
  }));
}

/** The address to listen on, and a temporary folder that goes with the server. */
type Prepare = (
  listen: string,
  directory: string,
) => Promise<{ readonly program: string; readonly args: readonly string[] }>;

/** Starts a server on a free port. @param readyPath - answers with 200 once the server is ready. */
export async function startServer(name: string, readyPath: string, prepare: Prepare): Promise<Receiver> {
  await using started = new AsyncDisposableStack();
  const { path: directory } = started.use(await temporaryFolder(name));
  const [port = 0] = await freePorts(1);
  const listen = `127.0.0.1:${port}`;
  const server = started.use(await startProcess({ name, directory, ...(await prepare(listen, directory)) }));
  const url = `http://${listen}`;
  await waitUntilReady(server, () => isOk(url + readyPath), READY_TIMEOUT_MILLIS);
  const running = started.move();
  return { url, [Symbol.asyncDispose]: () => running.disposeAsync() };
}
