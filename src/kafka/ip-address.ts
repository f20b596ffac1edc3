/**
 * An IP address as Kubernetes writes it, so that two spellings of one address compare as equal: IPv6 the short way (RFC 5952), and one
 * that only wraps an IPv4 address (`::ffff:10.0.0.7`) as that. Java writes an IPv6 address in full, exporters as they got it, and some
 * add a zone (`fe80::1%eth0`), a slash before it or brackets around it.
 *
 * @returns undefined where the text is empty; what is no address, a host's name say, as it is.
 */
export function canonicalAddress(text: string): string | undefined {
  const bare = text
    .slice(text.lastIndexOf("/") + 1)
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/%.*$/, "");
  if (!bare.includes(":")) return bare === "" ? undefined : bare;
  const short = URL.parse(`http://[${bare}]`)?.hostname.slice(1, -1);
  return short === undefined ? bare : (wrappedIpv4(short) ?? short);
}

/** "::ffff:a00:7" → "10.0.0.7" (RFC 4291, section 2.5.5.2). */
function wrappedIpv4(short: string): string | undefined {
  const [, high = "", low = ""] = /^::ffff:([\da-f]{1,4}):([\da-f]{1,4})$/.exec(short) ?? [];
  if (high === "") return undefined;
  const [upper, lower] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [upper >> 8, upper & 255, lower >> 8, lower & 255].join(".");
}
