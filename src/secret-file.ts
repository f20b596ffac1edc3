import { RebalancerError } from "./errors.ts";
import { readTextFile } from "./text-file.ts";

/**
 * What a file with a token, password or certificate holds, without white space around it.
 *
 * To be read anew for each use: whoever issues a token replaces the file long before the token expires.
 *
 * @throws RebalancerError `CREDENTIALS_INVALID` naming the file when it cannot be read (see `readTextFile`) or is empty.
 */
export async function readSecretFile(path: string): Promise<string> {
  const secret = (await readTextFile(path)).trim();
  if (secret === "") throw new RebalancerError("CREDENTIALS_INVALID", `${path} is empty`);
  return secret;
}
