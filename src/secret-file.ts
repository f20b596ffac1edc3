import { readFile } from "node:fs/promises";

import { RebalancerError } from "./errors.ts";

/**
 * What a file with a token, password or certificate holds, without white space around it.
 *
 * To be read anew for each use: whoever issues a token replaces the file long before the token expires.
 *
 * @throws RebalancerError `CREDENTIALS_INVALID` naming the file when it cannot be read or is empty.
 */
export async function readSecretFile(path: string): Promise<string> {
  let secret: string;
  try {
    secret = (await readFile(path, "utf8")).trim();
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    throw new RebalancerError("CREDENTIALS_INVALID", `${path} cannot be read (${code})`, { cause: thrown });
  }
  if (secret === "") throw new RebalancerError("CREDENTIALS_INVALID", `${path} is empty`);
  return secret;
}
