/** Files that the user names, read within bounds: a path may lead to a pipe that nobody writes to, a device, or a mount that hangs. */

import { constants, type Stats } from "node:fs";
import { open, stat } from "node:fs/promises";

import { RebalancerError, tooManyFiles } from "./errors.ts";
import { orAborted } from "./or-aborted.ts";

/** The largest kubeconfigs, with a thousand clusters, have some 3 MiB. */
const MAX_FILE_BYTES = 4 * 2 ** 20;

/** A local disk answers within milliseconds, a network's within a second or so. */
const FILE_MILLIS = 5_000;

/** What of the file system is asked; `node:fs/promises` by default. */
export interface Files {
  readonly stat: (path: string) => Promise<Pick<Stats, "isFile" | "isDirectory" | "isFIFO">>;
  readonly open: typeof open;
}

interface Bounds {
  readonly files?: Files;
  readonly patienceMillis?: number;
}

/**
 * The whole text of a regular file of at most 4 MiB.
 *
 * @throws RebalancerError `CREDENTIALS_INVALID` naming the file and what is wrong with it, never quoting it: it cannot be read, is
 *   no regular file, is too large, or was not read within 5 s. The system's own error is the `cause`. What hangs goes on
 *   hanging in a thread of its own; `endProcess` does not wait for it.
 */
export async function readTextFile(
  path: string,
  { files = { open, stat }, patienceMillis = FILE_MILLIS }: Bounds = {},
): Promise<string> {
  const late = new RebalancerError(
    "CREDENTIALS_INVALID",
    `${path} was not read within ${patienceMillis / 1_000} s; expected a file whose disk or mount answers`,
  );
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(late), patienceMillis);
  try {
    return await orAborted(readWhole(path, files), deadline.signal);
  } catch (thrown) {
    if (thrown instanceof RebalancerError) throw thrown;
    const { code } = thrown as NodeJS.ErrnoException;
    throw new RebalancerError(tooManyFiles(thrown) ?? "CREDENTIALS_INVALID", `${path} cannot be read (${code})`, {
      cause: thrown,
    });
  } finally {
    clearTimeout(timer);
  }
}

/** Whether there is anything at this path; false also where that cannot be told. */
export async function isThere(path: string, { files = { open, stat }, patienceMillis = FILE_MILLIS }: Bounds = {}) {
  const found = files.stat(path).then(
    () => true,
    () => false,
  );
  return await orAborted(found, AbortSignal.timeout(patienceMillis)).catch(() => false);
}

/** Looked at first, because opening is enough to set some devices off. */
async function readWhole(path: string, files: Files): Promise<string> {
  const found = await files.stat(path);
  if (!found.isFile()) throw unfit(path, `is ${kindOf(found)}, expected a regular file`);
  // Not blocking, should it have become a pipe in the meantime.
  const file = await files.open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const chunks: Buffer[] = await file.createReadStream({ end: MAX_FILE_BYTES }).toArray();
  const bytes = Buffer.concat(chunks);
  if (bytes.length > MAX_FILE_BYTES) throw unfit(path, `is larger than ${MAX_FILE_BYTES / 2 ** 20} MiB`);
  return bytes.toString("utf8");
}

function kindOf(found: Pick<Stats, "isDirectory" | "isFIFO">): string {
  if (found.isDirectory()) return "a directory";
  return found.isFIFO() ? "a pipe" : "a device or a socket";
}

function unfit(path: string, why: string): RebalancerError {
  return new RebalancerError("CREDENTIALS_INVALID", `${path} ${why}`);
}
