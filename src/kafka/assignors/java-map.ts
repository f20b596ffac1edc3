import { inBuckets, tableFor } from "./java-group.ts";

/** Of how many buckets Java makes a table that is to have so many at least: a power of two. */
export function tableOf(buckets: number): number {
  return tableFor(0, 1 << Math.ceil(Math.log2(Math.max(1, buckets))));
}

/** Of how many buckets `new HashSet(collection)` is. */
export function tableOfCopy(size: number): number {
  return Math.max(tableOf(Math.floor(size / 0.75) + 1), tableFor(0));
}

/** Java's `HashMap`, whose keys come in an order that depends on their hash codes and on how large the table has grown. */
export class JavaMap<Key, Value> {
  readonly #hashOf: (key: Key) => number;
  #values = new Map<Key, Value>();
  #buckets: number;

  /** @param buckets - of the table to begin with: a power of two. */
  constructor(hashOf: (key: Key) => number, buckets: number = tableFor(0)) {
    this.#hashOf = hashOf;
    this.#buckets = buckets;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: Key): Value | undefined {
    return this.#values.get(key);
  }

  has(key: Key): boolean {
    return this.#values.has(key);
  }

  /** `put`: a new key comes last in its bucket. */
  set(key: Key, value: Value): void {
    this.#values.set(key, value);
    this.#buckets = tableFor(this.size, this.#buckets);
  }

  /** `computeIfAbsent`, of a key that is absent: it comes first in its bucket, and the table grows one key later. */
  setFirst(key: Key, value: Value): void {
    this.#buckets = tableFor(this.size, this.#buckets);
    this.#values = new Map([[key, value], ...this.#values]);
  }

  delete(key: Key): void {
    this.#values.delete(key);
  }

  /** In Java's order. */
  keys(): Key[] {
    return inBuckets([...this.#values.keys()], this.#hashOf, this.#buckets);
  }

  /** In Java's order. */
  entries(): [Key, Value][] {
    return inBuckets([...this.#values], ([key]) => this.#hashOf(key), this.#buckets);
  }
}
