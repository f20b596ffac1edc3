import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { withoutManagedFields } from "./managed-fields.ts";

/** Texts that look like what is searched for, among others. */
const text = fc.oneof(fc.string(), fc.constantFrom('"managedFields":[{}]', "]", '"]', String.raw`\"managedFields\":[`));

const fields = fc.letrec<{ set: Readonly<Record<string, unknown>> }>((tie) => ({
  set: fc.dictionary(text, fc.oneof({ maxDepth: 3 }, fc.constant({}), tie("set"))),
})).set;
const managedFields = fc.array(fc.record({ manager: text, time: text, fieldsV1: fields }));
const item = fc.record({
  metadata: fc.record({ name: text, labels: fc.dictionary(text, text), managedFields }),
  spec: fc.json(),
});

describe("a list without managedFields", () => {
  it("is the same list otherwise, whatever its texts look like", () => {
    fc.assert(
      fc.property(fc.array(item), (items) => {
        const bare = items.map((one) => ({ ...one, metadata: { ...one.metadata, managedFields: 0 } }));
        expect(JSON.parse(withoutManagedFields(JSON.stringify({ items })))).toEqual(
          JSON.parse(JSON.stringify({ items: bare })),
        );
      }),
    );
  });

  it("remains no JSON if it was none, wherever it was cut", () => {
    const whole = JSON.stringify({
      items: [{ managedFields: [{ manager: 'a"\\]', fieldsV1: { "f:x": {} } }], spec: [] }],
    });
    for (let end = 1; end < whole.length; end += 1) {
      expect(() => JSON.parse(withoutManagedFields(whole.slice(0, end))) as unknown, whole.slice(0, end)).toThrow(
        SyntaxError,
      );
    }
    expect(() => JSON.parse(withoutManagedFields('{"managedFields":[{"a":["]"],"b":1}]}')) as unknown).toThrow(
      SyntaxError,
    );
  });

  it.each(['"managedFields":[', '"managedFields":["', String.raw`"managedFields":[\"`])(
    "is looked through once, also where none of them ends: %s",
    (part) => {
      expect(withoutManagedFields(part.repeat(50_000)).length).toBeLessThan(100);
    },
  );
});
