/**
 * Work that may take long, in slices. It yields between them, a fraction of a second apart also in the largest groups, so that whoever drives it
 * can let other things happen, leave it, or say that its time is up.
 */
export type Slices<Value> = Generator<void, Value, void>;

/** Thrown into such work where it yields: it ends with what it has, or passes this on where that is nothing. */
export class OutOfTime extends Error {
  override readonly name = "OutOfTime";
}

/** All of it, without a pause and without a limit. */
export function inOneGo<Value>(work: Slices<Value>): Value {
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}
