/** Numbers that look random and are the same each time for the same seed. */

/** Draws from [0, 1). */
export type Random = () => number;

/** Mulberry32: small, and good enough to shuffle partitions; not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** From the normal distribution with mean 0 and standard deviation 1 (Box and Muller). */
export function drawNormal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** One of the items; all are as likely. @throws Error where there are none. */
export function drawOne<Item>(items: readonly Item[], random: Random): Item {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error("nothing to draw from");
  return item;
}

/** The same items in another order (Fisher and Yates). */
export function shuffled<Item>(items: readonly Item[], random: Random): Item[] {
  const left = [...items];
  const drawn: Item[] = [];
  while (left.length > 0) drawn.push(...left.splice(Math.floor(random() * left.length), 1));
  return drawn;
}

/** So many characters of this alphabet. */
export function randomText(length: number, alphabet: string, random: Random): string {
  return Array.from({ length }, () => alphabet.charAt(Math.floor(random() * alphabet.length))).join("");
}

/** As a UUID is written; of its 128 bits none is fixed. */
export function randomUuid(random: Random): string {
  return [8, 4, 4, 4, 12].map((length) => randomText(length, "0123456789abcdef", random)).join("-");
}

/** The alphabet of Kubernetes' name generator. */
const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

/** What the controller of a Deployment's pods puts behind their name prefix. */
export function randomPodSuffix(random: Random): string {
  return randomText(POD_SUFFIX_LENGTH, NAME_ALPHABET, random);
}

export const POD_SUFFIX_LENGTH = 5;

/** Of the text that {@link randomUuid} gives. */
export const UUID_LENGTH = 36;

/** Of an address that is safe in a URL, as Kafka writes ids. */
export const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** 16 random bytes as Kafka writes the id of a topic. */
export function randomTopicId(random: Random): string {
  // The last of the 22 characters stands for two bits only.
  return randomText(21, BASE64, random) + randomText(1, "AQgw", random);
}
