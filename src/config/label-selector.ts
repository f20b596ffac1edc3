/** The grammar of label selectors, so that a typing error is found before a request is made. */

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
