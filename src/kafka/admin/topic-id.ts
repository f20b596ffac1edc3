/** As Java writes it: 16 bytes in base64url without padding. Topics of before Kafka 2.8 may have none. */
export function topicIdOf(uuid: string): string | undefined {
  const hex = uuid.replaceAll("-", "");
  return /^0*$/.test(hex) ? undefined : Buffer.from(hex, "hex").toString("base64url");
}
