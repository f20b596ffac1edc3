/** Proxies, which the product does not use, as the environment names them: where one is the only way, an error must say so. */

import { BlockList, isIP } from "node:net";

type Environment = Readonly<Record<string, string | undefined>>;

/** The endpoint, which names the proxy that it does without. */
export function namingProxy<Endpoint extends { readonly url: URL }>(endpoint: Endpoint, env: Environment) {
  const unusedProxy = proxyVariableFor(endpoint.url, env);
  return unusedProxy === undefined ? endpoint : { ...endpoint, unusedProxy };
}

/**
 * The variable that names a proxy for this address; its value is not told, because a password may be in it.
 *
 * @returns undefined where none does, where NO_PROXY exempts the host, and for this machine itself.
 * @see https://pkg.go.dev/golang.org/x/net/http/httpproxy, by whose rules kubectl and Prometheus go
 */
export function proxyVariableFor(url: URL, env: Environment): string | undefined {
  const variable = url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY";
  const named = [variable, variable.toLowerCase()].find((name) => env[name]);
  if (named === undefined || isExempt(url, env["NO_PROXY"] || env["no_proxy"] || "")) return undefined;
  return named;
}

function isExempt(url: URL, exempt: string): boolean {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  if (host === "localhost" || isWithin(host, "127.0.0.0/8") || isWithin(host, "::1/128")) return true;
  const entries = exempt
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean);
  return entries.some((entry) => entry === "*" || matches({ host, port }, entry));
}

/** An entry is an address, a range of addresses, or a name, which stands for those below it too; with a port only for that one. */
function matches({ host, port }: { readonly host: string; readonly port: string }, entry: string): boolean {
  if (entry.includes("/")) return isWithin(host, entry);
  const [, bracketed, name = bracketed, itsPort = port] =
    /^(?:\[([^\]]*)\]|([^:]*|.*:.*:.*))(?::(\d+))?$/.exec(entry) ?? [];
  if (name === undefined || itsPort !== port) return false;
  const domain = name.replace(/^\*?(?=\.)/, "");
  if (domain.startsWith(".")) return host.endsWith(domain);
  return host === domain || (isIP(host) === 0 && host.endsWith(`.${domain}`));
}

function isWithin(host: string, range: string): boolean {
  const [, address = "", bits = ""] = /^(.+)\/(\d{1,3})$/.exec(range) ?? [];
  const version = isIP(host);
  if (version === 0 || isIP(address) !== version || Number(bits) > (version === 4 ? 32 : 128)) return false;
  const family = version === 4 ? "ipv4" : "ipv6";
  const block = new BlockList();
  block.addSubnet(address, Number(bits), family);
  return block.check(host, family);
}
