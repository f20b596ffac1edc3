import { type Answer, startLoopback } from "../fakes/loopback.ts";

/** A real metrics server behind a line on which nothing comes back until the test says so. */
export interface HeldMetrics extends AsyncDisposable {
  readonly url: string;
  /** Resolves when the first question has come: whoever asks has seen its pods by then. */
  readonly asked: Promise<void>;
  /** Lets all answers pass from now on. */
  release(): void;
}

/** @param server - the address of the metrics server. */
export async function holdMetrics(server: string): Promise<HeldMetrics> {
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const line = await startLoopback(async ({ url, method, headers, body }): Promise<Answer> => {
    asked.resolve();
    await released.promise;
    const type = { "content-type": headers["content-type"] ?? "" };
    const question = method === "POST" ? { method, headers: type, body } : { method };
    const reply = await fetch(new URL(url.pathname + url.search, server), question);
    return { status: reply.status, body: await reply.text() };
  });
  return {
    url: line.url,
    asked: asked.promise,
    release: () => released.resolve(),
    [Symbol.asyncDispose]: () => line[Symbol.asyncDispose](),
  };
}
