/**
 * What all of these come to, begun at the same time. The first that fails aborts the others, and is thrown once all have ended:
 * nothing is left running behind the caller's back.
 *
 * @param begin - begins the work; its signal aborts with the caller's, and when one of them fails.
 */
export async function allOrNone<Values extends readonly unknown[]>(
  begin: (abort: AbortSignal) => { readonly [At in keyof Values]: Promise<Values[At]> },
  signal: AbortSignal,
): Promise<Values> {
  const failed = new AbortController();
  const begun = begin(AbortSignal.any([signal, failed.signal]));
  try {
    return await Promise.all(begun);
  } catch (thrown) {
    failed.abort(thrown);
    await Promise.allSettled(begun);
    throw thrown;
  }
}
