/**
 * A time for runs in this process, for their requests, and for the servers on loopback that they talk to. It passes in jumps, and
 * only when everybody waits for it: how long anything takes on a busy machine does not show.
 */

import { setTimeout as delay } from "node:timers/promises";

import type { Misbehaviour } from "../../src/demo/loopback.ts";
import { createHttpClient, type HttpEndpoint } from "../../src/http.ts";
import type { Masker } from "../../src/masking/masker.ts";
import type { Clock } from "../../src/ports.ts";
import type { Outside } from "../../src/wire.ts";

export interface IdleTime extends Outside, Disposable {
  /** Of the servers: who sleeps by it does so before it answers a request. */
  readonly serverClock: Clock;
  /** A request that is left open, or answered without end, is waited for by nobody but its deadline. */
  readonly watched: (misbehave: Misbehaviour) => Misbehaviour;
  /** A process has a clock of its own: while one runs, time passes here too, as fast as its. */
  passWhile(ended: Promise<unknown>): void;
}

const NOTHING = () => 0;

/** How often it is seen who has slept for long enough beside a process: it takes half a minute at times. */
const PROCESS_LOOK_MILLIS = 20;

interface Sleeper {
  readonly at: number;
  readonly wake: () => void;
}

export function createIdleTime(): IdleTime {
  const sleepers = new Set<Sleeper>();
  let now = Date.now();
  /** Counts whatever happens, so that it can be told that nothing did. */
  let events = 0;
  let [calls, httpSleepers, unanswered, processes] = [0, 0, 0, 0];
  let passing = NOTHING;
  let pumping = false;

  /** Calls that neither wait for their next attempt nor for an answer that never comes; each has a sleeper for its deadline. */
  const moving = () => calls - (httpSleepers - calls) - unanswered;

  async function pump(): Promise<void> {
    pumping = true;
    while (sleepers.size > 0) {
      if (processes > 0) {
        await delay(PROCESS_LOOK_MILLIS);
        for (const sleeper of sleepers) if (sleeper.at <= time()) sleeper.wake();
        continue;
      }
      const before = events;
      await nothingToDo();
      if (processes === 0 && events === before && moving() === 0) {
        const next = [...sleepers].reduce((first, one) => (one.at < first.at ? one : first));
        now = Math.max(now, next.at);
        next.wake();
      }
    }
    pumping = false;
  }

  const time = () => now + passing();

  async function sleep(millis: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stop = () => reject(signal.reason);
    const sleeper: Sleeper = {
      at: time() + millis,
      wake: () => {
        sleepers.delete(sleeper);
        resolve();
      },
    };
    signal.addEventListener("abort", stop, { once: true });
    sleepers.add(sleeper);
    events += 1;
    if (!pumping) void pump();
    try {
      await promise;
    } finally {
      events += 1;
      sleepers.delete(sleeper);
      signal.removeEventListener("abort", stop);
    }
  }

  const date = () => new Date(time());
  const clock: Clock = { now: date, sleep };
  const httpClock: Clock = {
    now: date,
    async sleep(millis, signal) {
      httpSleepers += 1;
      try {
        await sleep(millis, signal);
      } finally {
        httpSleepers -= 1;
      }
    },
  };

  const serverClock: Clock = {
    now: date,
    async sleep(millis, signal) {
      unanswered += 1;
      try {
        await sleep(millis, signal);
      } finally {
        unanswered -= 1;
      }
    },
  };

  return {
    clock,
    serverClock,
    connect(endpoint: HttpEndpoint, masker: Masker) {
      const client = createHttpClient(endpoint, httpClock, masker);
      return {
        ...client,
        async request(call) {
          [calls, events] = [calls + 1, events + 1];
          try {
            return await client.request(call);
          } finally {
            [calls, events] = [calls - 1, events + 1];
          }
        },
      };
    },
    watched: (misbehave) => async (response, honest) => {
      await misbehave(response, honest);
      if (response.writableEnded || response.destroyed) return;
      [unanswered, events] = [unanswered + 1, events + 1];
      response.once("close", () => ([unanswered, events] = [unanswered - 1, events + 1]));
    },
    passWhile(ended) {
      const begun = performance.now();
      if (processes === 0) passing = () => performance.now() - begun;
      processes += 1;
      const end = () => {
        processes -= 1;
        if (processes === 0) [now, passing] = [time(), NOTHING];
      };
      ended.then(end, end);
    },
    [Symbol.dispose]: () => sleepers.clear(),
  };
}

let looking: Promise<void> | undefined;

/** Resolves once this process has had nothing to do, for a moment that began after the call. */
async function nothingToDo(): Promise<void> {
  await looking;
  looking ??= look().finally(() => (looking = undefined));
  await looking;
}

/** Work that is cut into slices keeps the event loop busy as a request does: it never waits for events. */
async function look(): Promise<void> {
  for (;;) {
    const before = performance.eventLoopUtilization();
    await delay(1);
    if (performance.eventLoopUtilization(before).idle > 0.2) return;
  }
}
