/** Label selectors: their grammar, so that a typing error is found before a request is made, and what they match. */

/** An optional DNS prefix and a name; or a value, which may be empty. */
const SPACE = String.raw`[ \t\r\n]*`;
const NAME = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
const KEY = `(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?${NAME}`;
/** Space belongs to what follows it: were it matched in two places, a long text that is no selector would be tried in every way. */
const VALUE = `(?:${SPACE}${NAME})?`;
const SET = String.raw`\(${VALUE}(?:${SPACE},${VALUE})*${SPACE}\)`;
const REQUIREMENT = String.raw`${SPACE}(?:!${SPACE}${KEY}|${KEY}(?:${SPACE}(?:==?|!=)${VALUE}|[ \t\r\n]${SPACE}(?:in|notin)${SPACE}${SET})?)`;
const SELECTOR = new RegExp(`^${REQUIREMENT}(?:${SPACE},${REQUIREMENT})*${SPACE}$`);

/**
 * Whether a text is a label selector with at least one requirement: `app=consumer`, `tier in (a,b)`, `!canary`.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */
export function isLabelSelector(text: string): boolean {
  return SELECTOR.test(text);
}

type Labels = Readonly<Record<string, string>>;
type Matcher = (labels: Labels) => boolean;

/**
 * What a selector matches, as the API server judges it: `!=` and `notin` are true of labels without the key, too.
 *
 * @param selector - see `isLabelSelector`.
 */
export function labelMatcher(selector: string): Matcher {
  const matchers = (selector.match(EACH_REQUIREMENT) ?? [])
    .filter((text) => text.trim() !== "")
    .map(requirementMatcher);
  return (labels) => matchers.every((matches) => matches(labels));
}

/** A comma within brackets parts no requirements. */
const EACH_REQUIREMENT = /[^,()]+(?:\([^)]*\))?/g;

const PARTS = /^\s*(?<not>!?)\s*(?<key>[^\s=!(]+)\s*(?<operator>==?|!=|notin|in|)\s*\(?(?<values>[^)]*)\)?\s*$/;

function requirementMatcher(requirement: string): Matcher {
  const { not, key = "", operator, values = "" } = PARTS.exec(requirement)?.groups ?? {};
  const wanted = new Set(values.split(",").map((value) => value.trim()));
  const negated = not === "!" || operator === "!=" || operator === "notin";
  return (labels) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    const holds = value !== undefined && (operator === "" || wanted.has(value));
    return holds !== negated;
  };
}
