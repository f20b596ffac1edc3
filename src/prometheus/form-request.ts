/** A question to the query API: by POST, which takes queries of any length, or by GET where a proxy lets nothing else through. */

import { RebalancerError } from "../errors.ts";
import type { HttpCall, HttpClient, HttpReply } from "../http.ts";

export type FormCall = Omit<HttpCall, "method" | "body" | "query"> & {
  readonly form: Readonly<Record<string, string>>;
};

/**
 * @returns a function that asks by POST and, where POST is refused, once more by GET; where GET is taken, it asks by GET from then on.
 *   It throws what `HttpClient` throws; where both are refused, the message tells of both.
 * @see https://github.com/prometheus/client_golang/blob/main/api/prometheus/v1/api.go, which does so for 405 and 501
 */
export function createFormRequest(http: HttpClient): (call: FormCall) => Promise<HttpReply> {
  let byGet = false;

  function post({ form, ...call }: FormCall): Promise<HttpReply> {
    const text = new URLSearchParams(form).toString();
    return http.request({ ...call, method: "POST", body: { type: "application/x-www-form-urlencoded", text } });
  }

  async function get({ form, ...call }: FormCall): Promise<HttpReply> {
    try {
      const reply = await http.request({ ...call, method: "GET", query: form });
      byGet = true;
      return reply;
    } catch (thrown) {
      throw tooLong(thrown, form);
    }
  }

  return async (call) => {
    if (byGet) return await get(call);
    const begun = performance.now();
    try {
      return await post(call);
    } catch (thrown) {
      if (!refusesPost(thrown)) throw thrown;
      const left = Math.max(1, Math.ceil(call.deadlineMillis - (performance.now() - begun)));
      return await get({ ...call, deadlineMillis: left }).catch((second: unknown) => {
        throw afterPost(second, thrown);
      });
    }
  };
}

/** What a server, or a proxy that lets only GET through, says to POST. */
const REFUSES_POST: ReadonlySet<number | undefined> = new Set([403, 405, 501]);

function refusesPost(thrown: unknown): thrown is RebalancerError {
  return thrown instanceof RebalancerError && REFUSES_POST.has(thrown.reply?.status);
}

/** An API that refuses the query itself took GET; for any other failure that POST was refused may be the better clue. */
function afterPost(thrown: unknown, refusal: RebalancerError): unknown {
  const answered = thrown instanceof RebalancerError && thrown.reply !== undefined;
  if (!answered || [400, 422].includes(thrown.reply.status)) return thrown;
  const { code, message, reply } = thrown;
  return new RebalancerError(code, `${message}; before that, ${refusal.message}`, { cause: refusal, reply });
}

/** 414 and 431 are about the address, which with GET holds the query. */
function tooLong(thrown: unknown, form: FormCall["form"]): unknown {
  if (!(thrown instanceof RebalancerError)) return thrown;
  const { code, message, reply } = thrown;
  if (reply?.status !== 414 && reply?.status !== 431) return thrown;
  const { length } = new URLSearchParams(form).toString();
  const why = `asked by GET, the query makes the address ${length} characters longer, which is too long here`;
  return new RebalancerError(code, `${message}; ${why}; expected a server that takes POST, or a higher limit`, {
    reply,
  });
}
