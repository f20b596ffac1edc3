/** The grammar of label selectors, so that a typing error is found before a request is made. */

/** An optional DNS prefix and a name; or a value, which may be empty. */
const NAME = "[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?";
const KEY = `(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?${NAME}`;
const VALUE = `(?:${NAME})?`;
const SET = String.raw`\(\s*${VALUE}(?:\s*,\s*${VALUE})*\s*\)`;
const REQUIREMENT = String.raw`(?:!\s*${KEY}|${KEY}(?:\s*(?:==?|!=)\s*${VALUE}|\s+(?:in|notin)\s*${SET})?)`;
const SELECTOR = new RegExp(String.raw`^\s*${REQUIREMENT}(?:\s*,\s*${REQUIREMENT})*\s*$`);

/**
 * Whether a text is a label selector with at least one requirement: `app=consumer`, `tier in (a,b)`, `!canary`.
 * @see https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */
export function isLabelSelector(text: string): boolean {
  return SELECTOR.test(text);
}
