/** What a field of a reply must be. TypeScript's types are a promise of whoever answers; a proxy or a damaged object keeps none. */

import { jsonOf, printable } from "../text.ts";

/** @returns what is wrong, as a clause that begins with `path`; undefined where nothing is. */
type Shape = (value: unknown, path: string) => string | undefined;

// Of a list and a map the path is put together for what is wrong only: a list of pods has hundreds of thousands of fields.

/** More of a value helps nobody. */
const MOST_SHOWN = 60;

/** A shape that one test decides. */
function simple(expected: string, holds: (value: unknown) => boolean): Shape {
  return (value, path) => (holds(value) ? undefined : `${path} is ${shown(value)}, expected ${expected}`);
}

function shown(value: unknown): string {
  const words = printable(jsonOf(value));
  return words.length > MOST_SHOWN ? `${words.slice(0, MOST_SHOWN)}…` : words;
}

export const text = simple("text", (value) => typeof value === "string");
export const flag = simple("true or false", (value) => typeof value === "boolean");
export const count = simple("a whole number >= 0", (value) => Number.isSafeInteger(value) && Number(value) >= 0);
export const positive = simple("a whole number > 0", (value) => Number.isSafeInteger(value) && Number(value) > 0);

const someObject = simple("an object", isObject);
const someList = simple("a list", Array.isArray);

/** Exactly this text. */
export function exactly(wanted: string): Shape {
  return simple(shown(wanted), (value) => value === wanted);
}

/** This shape or null: Go writes a time that is not set so. Whoever reads it must take null for nothing. */
export function orNull(shape: Shape): Shape {
  return (value, path) => (value === null ? undefined : shape(value, path));
}

/** This shape where the field of that name is one of these; any other value is not read. */
export function where(field: string, names: readonly string[], shape: Shape): Shape {
  return (value, path) => {
    const name = isObject(value) ? (value as Readonly<Record<string, unknown>>)[field] : undefined;
    return someObject(value, path) ?? (names.includes(name as string) ? shape(value, path) : undefined);
  };
}

/** Each of its items has this shape. Null is none: Go writes an empty list so. */
export function list(item: Shape): Shape {
  return (value, path) => {
    if (value === null) return undefined;
    return (
      someList(value, path) ??
      first(value as readonly unknown[], (one, at) => item(one, "") && item(one, `${path}[${at}]`))
    );
  };
}

/** Each of its values has this shape, whatever its key. Null is none, as above. */
export function map(item: Shape): Shape {
  return (value, path) => {
    if (value === null) return undefined;
    return (
      someObject(value, path) ??
      first(Object.entries(value as object), ([key, one]) => item(one, "") && item(one, `${path}[${shown(key)}]`))
    );
  };
}

type Fields = Readonly<Record<string, Shape>>;

/** These fields have these shapes; the others are not read. */
export function object(optional: Fields, required: Fields = {}): Shape {
  const fields = Object.entries({ ...optional, ...required });
  return (value, path) => {
    const prefix = path === "" ? "" : `${path}.`;
    return (
      someObject(value, path) ??
      first(fields, ([name, shape]) => {
        const field = (value as Readonly<Record<string, unknown>>)[name];
        return field === undefined && !Object.hasOwn(required, name) ? undefined : shape(field, prefix + name);
      })
    );
  };
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The first fault that is found. */
function first<Item>(
  items: readonly Item[],
  faultOf: (item: Item, at: number) => string | undefined,
): string | undefined {
  for (let at = 0; at < items.length; at += 1) {
    const fault = faultOf(items[at] as Item, at);
    if (fault !== undefined) return fault;
  }
  return undefined;
}
