import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { withoutUnread } from "./unread.ts";

/** Texts that look like what is searched for, among others. */
const text = fc.oneof(
  fc.string(),
  fc.constantFrom('"managedFields":[{}]', "]", '"]', String.raw`\"containers\":[`, "containers"),
);

const fields = fc.letrec<{ set: Readonly<Record<string, unknown>> }>((tie) => ({
  set: fc.dictionary(text, fc.oneof({ maxDepth: 3 }, fc.constant({}), tie("set"))),
})).set;
const managedFields = fc.array(fc.record({ manager: text, time: text, fieldsV1: fields }));
const port = fc.record({ name: text, containerPort: fc.integer() });
const container = fc.record({
  name: text,
  command: fc.array(text),
  ports: fc.array(port),
  probe: fc.record({ exec: fc.record({ command: fc.array(text) }) }),
  capabilities: fc.record({ add: fc.array(text) }),
});
const source = fc.record({
  configMap: fc.record({ name: text, items: fc.array(fc.record({ key: text, path: text })) }),
});
const volume = fc.record({ name: text, projected: fc.record({ sources: fc.array(source) }) });
const item = fc.record({
  metadata: fc.record({ name: text, labels: fc.dictionary(text, text), managedFields }),
  spec: fc.record({
    nodeName: text,
    containers: fc.array(container),
    volumes: fc.array(volume),
    tolerations: fc.array(fc.record({ key: text })),
    other: fc.json(),
  }),
});

describe("a list without what is not read", () => {
  it("is the same list otherwise, whatever its texts look like", () => {
    fc.assert(
      fc.property(fc.array(item, { maxLength: 3 }), (items) => {
        const bare = items.map(({ metadata, spec }) => ({
          metadata: { ...metadata, managedFields: 0 },
          spec: { ...spec, containers: 0, volumes: 0, tolerations: 0 },
        }));
        expect(JSON.parse(withoutUnread(JSON.stringify({ items })))).toEqual(
          JSON.parse(JSON.stringify({ items: bare })),
        );
      }),
    );
  });

  it("keeps an array that has more arrays in it than any should, whole", () => {
    const deep = { containers: [[[[["]"]]]]], name: "a" };
    expect(JSON.parse(withoutUnread(JSON.stringify(deep)))).toEqual(deep);
    expect(JSON.parse(withoutUnread('{"containers":[[[["]"]]]],"name":"a"}'))).toEqual({ containers: 0, name: "a" });
  });

  it("remains no JSON where it was cut off, wherever that was", () => {
    const managed = [{ manager: 'a"\\]', fieldsV1: { "f:x": {} } }];
    const containers = [{ name: "[", command: ["]", 'b"'], ports: [{ name: "p" }] }];
    const whole = JSON.stringify({ items: [{ managedFields: managed, spec: { containers, volumes: [] } }] });
    for (let end = 1; end < whole.length; end += 1) {
      const cut = whole.slice(0, end);
      expect(() => JSON.parse(withoutUnread(cut)) as unknown, cut).toThrow(SyntaxError);
    }
  });

  it.each([
    '"managedFields":[',
    '"managedFields":["',
    String.raw`"containers":[\"`,
    '"containers":[{"ports":[',
    '"containers":[],"volumes":["',
  ])("is looked through once, also where none of them ends: %s", (part) => {
    // Again for each of them it would take minutes.
    expect(withoutUnread(part.repeat(50_000)).length).toBeLessThanOrEqual(part.length * 50_000);
  });
});
