import * as fc from "fast-check";
import { describe, expect, it } from "vitest";

import { parseSamples, parseSeries } from "./parse.ts";

const ANY_TIME = { from: new Date(0), to: new Date(8e15) };
const POD = { pod: "a" };

function reply(resultType: string, result: unknown, rest: object = {}): string {
  return JSON.stringify({ status: "success", data: { resultType, result }, ...rest });
}

function vector(...values: string[]): string {
  return reply(
    "vector",
    values.map((value) => ({ metric: POD, value: [1_700_000_000.5, value] })),
  );
}

function matrix(...values: string[]): string {
  return reply("matrix", [{ metric: POD, values: values.map((value, index) => [index, value]) }]);
}

function mask(words: string): string {
  return words.replaceAll("planted-secret", "…");
}

function evaluatedAt(at: number): string {
  return reply("vector", [{ metric: POD, value: [at, "1"] }]);
}

function sampledAt(...ats: number[]): string {
  return reply("matrix", [{ metric: POD, values: ats.map((at) => [at, String(at)]) }]);
}

describe("parseSamples", () => {
  it("reads a vector and a matrix alike", () => {
    const expected = [{ labels: POD, value: 2.5 }];
    expect(parseSamples(vector("2.5"), "cpu query", ANY_TIME)).toEqual(expected);
    expect(parseSamples(matrix("1", "9", "2.5"), "cpu query", ANY_TIME)).toEqual(expected);
  });

  it("reads an empty result as no samples", () => {
    expect(parseSamples(reply("vector", []), "cpu query", ANY_TIME)).toEqual([]);
  });

  it.each([
    ["0", 0],
    ["-1", -1],
    ["+Inf", Number.POSITIVE_INFINITY],
    ["-Inf", Number.NEGATIVE_INFINITY],
    ["NaN", Number.NaN],
    ["1e+06", 1e6],
    ["1.5e-9", 1.5e-9],
    ["1795507207.123", 1_795_507_207.123],
  ])("keeps %s as a number", (text, value) => {
    expect(parseSamples(vector(text), "cpu query", ANY_TIME)).toEqual([{ labels: POD, value }]);
  });

  it("reads every number as it was written", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const [sample] = parseSamples(vector(String(value)), "cpu query", ANY_TIME);
        expect(sample?.value).toBe(Object.is(value, -0) ? 0 : value);
      }),
    );
  });

  it("drops one NaN at the end of a matrix, and no more", () => {
    expect(parseSamples(matrix("1", "2", "NaN"), "cpu query", ANY_TIME)).toEqual([{ labels: POD, value: 2 }]);
    expect(parseSamples(matrix("1", "NaN", "NaN"), "cpu query", ANY_TIME)).toEqual([
      { labels: POD, value: Number.NaN },
    ]);
    expect(parseSamples(matrix("NaN"), "cpu query", ANY_TIME)).toEqual([{ labels: POD, value: Number.NaN }]);
  });

  describe("of a certain time", () => {
    const times = { from: new Date(1_000_000), to: new Date(1_060_000) };
    it.each([1_000, 1_030.5, 1_060])("takes a vector that was evaluated within it: %d", (at) => {
      expect(parseSamples(evaluatedAt(at), "cpu query", times)).toEqual([{ labels: POD, value: 1 }]);
    });

    it.each([
      [999.999, "1970-01-01T00:16:39.999Z"],
      [1_060.001, "1970-01-01T00:17:40.001Z"],
      [0, "1970-01-01T00:00:00.000Z"],
      [1e300, "1e+300"],
      [-1e300, "-1e+300"],
    ])("refuses a vector that was evaluated at %d", (at, text) => {
      const message = `cpu query: it was evaluated at ${text}, expected from 1970-01-01T00:16:40.000Z to 1970-01-01T00:17:40.000Z`;
      expect(() => parseSamples(evaluatedAt(at), "cpu query", times)).toThrow(
        expect.objectContaining({ code: "QUERY_MISTIMED", message }),
      );
    });

    it("takes the last sample of a series that is young enough, and none of one that ended before", () => {
      expect(parseSamples(sampledAt(900, 1_010), "cpu query", times)).toEqual([{ labels: POD, value: 1_010 }]);
      expect(parseSamples(sampledAt(900, 999), "cpu query", times)).toEqual([]);
    });

    it("refuses a range that goes on after it", () => {
      expect(() => parseSamples(sampledAt(1_010, 1_061), "cpu query", times)).toThrow(
        expect.objectContaining({ code: "QUERY_MISTIMED", message: expect.stringContaining("a sample is of 1970-") }),
      );
    });

    it("refuses a series over time with any sample outside of it", () => {
      expect(parseSeries(sampledAt(1_000, 1_060), "history query", times)).toHaveLength(1);
      for (const body of [sampledAt(999, 1_010), sampledAt(1_010, 1_061)]) {
        expect(() => parseSeries(body, "history query", times)).toThrow(
          expect.objectContaining({ code: "QUERY_MISTIMED" }),
        );
      }
    });
  });

  it("takes hints about the query for no warnings", () => {
    const hint = "PromQL info: metric might not be a counter";
    for (const rest of [{ infos: [hint] }, { warnings: [] }, { warnings: [hint] }, { isPartial: false }]) {
      expect(parseSamples(reply("vector", [], rest), "cpu query", ANY_TIME)).toEqual([]);
    }
  });

  it.each([
    [{ warnings: ["remote_read: connection refused"] }, "the server warns: remote_read: connection refused"],
    [{ warnings: ["PromQL info: x", "PromQL warning: y"] }, "the server warns: PromQL warning: y"],
    ...[true, "true", 1, "false", [], {}].map((isPartial): [object, string] => [
      { isPartial },
      "the server marks its reply as partial (isPartial)",
    ]),
  ])("refuses an incomplete reply: %j", (rest, words) => {
    expect(() => parseSamples(reply("vector", [], rest), "lag query", ANY_TIME)).toThrow(
      expect.objectContaining({ code: "QUERY_INCOMPLETE", message: `lag query: ${words}` }),
    );
  });

  it.each([
    [reply("scalar", [1, "2"]), "it yields a scalar, expected one sample for each pod"],
    [reply("string", [1, "x"]), "it yields a string, expected one sample for each pod"],
    [
      JSON.stringify({ status: "error", errorType: "x", error: "too many\u001B[2J series" }),
      "the server says: too many series",
    ],
    [
      reply("vector", [{ metric: POD, histogram: [1, {}] }]),
      'it yields a native histogram ({"pod":"a"}), expected numbers',
    ],
    [
      reply("matrix", [{ metric: POD, histograms: [] }]),
      'it yields a native histogram ({"pod":"a"}), expected numbers',
    ],
  ])("lays the fault with the query: %s", (body, words) => {
    expect(() => parseSamples(body, "lag query", ANY_TIME)).toThrow(
      expect.objectContaining({ code: "QUERY_FAILED", message: `lag query: ${words}` }),
    );
  });

  it.each([
    ["", 'the reply is no JSON object but begins ""'],
    ["<html>Sign in</html>", 'the reply is no JSON object but begins "<html>Sign in</html>"'],
    ["null", 'the reply is no JSON object but begins "null"'],
    ["{}", 'its status is missing, expected "success"'],
    ['{"kind":"PodList"}', 'its status is missing, expected "success"'],
    ['{"status":"success"}', 'its resultType is missing, expected "vector" or "matrix"'],
    ['{"status":"success","data":null}', 'its resultType is missing, expected "vector" or "matrix"'],
    [reply("streams", []), 'its resultType is "streams", expected "vector" or "matrix"'],
    [reply("vector", {}), "its result is {}, expected a list"],
    [reply("vector", [], { warnings: "x" }), 'its warnings are "x", expected a list'],
    [reply("vector", [null]), "the labels of an entry are missing, expected an object of texts"],
    [
      reply("vector", [{ metric: ["a"], value: [1, "1"] }]),
      'the labels of an entry are ["a"], expected an object of texts',
    ],
    [
      reply("vector", [{ metric: { pod: 1 }, value: [1, "1"] }]),
      'the labels of an entry are {"pod":1}, expected an object of texts',
    ],
    [reply("vector", [{ metric: POD }]), 'the sample of {"pod":"a"} is missing, expected [time, "number"]'],
    [
      reply("vector", [{ metric: POD, values: [[1, "1"]] }]),
      'the sample of {"pod":"a"} is missing, expected [time, "number"]',
    ],
    [reply("matrix", [{ metric: POD, values: [] }]), 'the sample of {"pod":"a"} is missing, expected [time, "number"]'],
    [
      reply("vector", [{ metric: POD, value: [1, 2] }]),
      'the sample of {"pod":"a"} is [1,2], expected [time, "number"]',
    ],
    [
      reply("vector", [{ metric: POD, value: ["1", "2"] }]),
      'the sample of {"pod":"a"} is ["1","2"], expected [time, "number"]',
    ],
    ...["", " ", "0x10", "1_000", "Infinity", "null", "1 "].map((text) => [
      vector(text),
      `the sample of {"pod":"a"} is [1700000000.5,"${text}"], expected [time, "number"]`,
    ]),
  ])("refuses a malformed reply: %s", (body, words) => {
    expect(() => parseSamples(body, "lag query", ANY_TIME)).toThrow(
      expect.objectContaining({ code: "REPLY_INVALID", message: `lag query: ${words}` }),
    );
  });

  it.each(["constructor", "toString", "__proto__", "hasOwnProperty"])("takes %s for no number", (text) => {
    expect(() => parseSamples(vector(text), "cpu query", ANY_TIME)).toThrow(
      expect.objectContaining({ code: "REPLY_INVALID" }),
    );
  });

  it("keeps a label whose name is that of a prototype as a label", () => {
    const body = reply("vector", []).replace("[]", '[{"metric":{"__proto__":"x","pod":"a"},"value":[1,"2"]}]');
    const [sample] = parseSamples(body, "cpu query", ANY_TIME);
    expect(Object.entries(sample?.labels ?? {})).toEqual([
      ["__proto__", "x"],
      ["pod", "a"],
    ]);
    expect(Object.getPrototypeOf({})).not.toHaveProperty("pod");
  });

  const DEEP = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;

  it.each([
    ["an error nested too deep", `{"status":"error","error":${DEEP}}`, "QUERY_FAILED"],
    ["an error that cannot be a text", '{"status":"error","error":{"toString":1}}', "QUERY_FAILED"],
    ["a warning nested too deep", `{"status":"success","warnings":[${DEEP}]}`, "QUERY_INCOMPLETE"],
    ["a warning that cannot be a text", '{"status":"success","warnings":[{"toString":1}]}', "QUERY_INCOMPLETE"],
    ["labels nested too deep", reply("vector", []).replace("[]", `[{"metric":${DEEP}}]`), "REPLY_INVALID"],
    ["a status nested too deep", `{"status":${DEEP}}`, "REPLY_INVALID"],
  ])("tells %s in its own words", (_name, body, code) => {
    expect(() => parseSamples(body, "cpu query", ANY_TIME)).toThrow(expect.objectContaining({ code }));
  });

  it.each([
    ["an error", JSON.stringify({ status: "error", error: `${"x".repeat(295)}planted-secret` })],
    ["a warning", JSON.stringify({ status: "success", warnings: [`${"x".repeat(295)}planted-secret`] })],
    ["a status", JSON.stringify({ status: `${"x".repeat(110)}planted-secret` })],
    ["no JSON", `${"x".repeat(50)}planted-secret`],
  ])("masks the server's words before it cuts them: %s", (_name, body) => {
    expect(() => parseSamples(body, "cpu query", ANY_TIME, mask)).toThrow(/x…/);
    expect(() => parseSamples(body, "cpu query", ANY_TIME, mask)).not.toThrow(/xpl/);
  });

  it("throws nothing but its own errors, whatever JSON comes", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (data, entry) => {
        for (const body of [data, { status: "success", data }, JSON.parse(reply("vector", [entry])) as unknown]) {
          try {
            parseSamples(JSON.stringify(body), "lag query", ANY_TIME);
          } catch (thrown) {
            expect(thrown).toMatchObject({ name: "RebalancerError" });
          }
        }
      }),
    );
  });
});

describe("parseSeries", () => {
  it("yields every value of each series, the oldest first", () => {
    const result = [
      {
        metric: POD,
        values: [
          [1, "1.5"],
          [2, "+Inf"],
        ],
      },
      { metric: {}, values: [] },
    ];
    expect(parseSeries(reply("matrix", result), "history query", ANY_TIME)).toEqual([
      { labels: POD, values: [1.5, Number.POSITIVE_INFINITY] },
      { labels: {}, values: [] },
    ]);
  });

  it.each([
    [reply("vector", []), 'its resultType is "vector", expected "matrix"'],
    [reply("matrix", {}), "its result is {}, expected a list"],
    [reply("matrix", [{ metric: POD }]), 'the samples of {"pod":"a"} are missing, expected a list'],
    [
      reply("matrix", [
        {
          metric: POD,
          values: [
            [1, "1"],
            [2, 2],
          ],
        },
      ]),
      'the sample of {"pod":"a"} is [2,2], expected [time, "number"]',
    ],
    [reply("matrix", [{ values: [] }]), "the labels of an entry are missing, expected an object of texts"],
  ])("refuses what is malformed: %s", (body, words) => {
    expect(() => parseSeries(body, "history query", ANY_TIME)).toThrow(
      expect.objectContaining({ code: "REPLY_INVALID", message: `history query: ${words}` }),
    );
  });

  it("refuses an incomplete reply", () => {
    expect(() => parseSeries(reply("matrix", [], { warnings: ["x"] }), "history query", ANY_TIME)).toThrow(
      expect.objectContaining({ code: "QUERY_INCOMPLETE", message: "history query: the server warns: x" }),
    );
  });
});
