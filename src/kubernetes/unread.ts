/** Arrays that make up two thirds of a pod's text, and of which nothing is read. No other kind in a list has anything to be read by these names. */
const UNREAD = [
  "managedFields",
  "containers",
  "initContainers",
  "containerStatuses",
  "initContainerStatuses",
  "volumes",
  "tolerations",
];

/** Arrays within such an array within…: one that has more of them is parsed like all else. A volume's `sources` have `items`. */
const DEEPEST = 3;

/** One that does not end goes to the end of the text, or it would be looked for so far again and again. */
const TEXT = String.raw`"[^"\\]*(?:\\[^][^"\\]*)*(?:"|\\?$)`;

/** Only a text may hold a bracket that is none. Like a text it may go to the end. */
function arrayOf(depth: number): string {
  const inner = depth === 0 ? TEXT : `${TEXT}|${arrayOf(depth - 1)}`;
  return String.raw`\[[^"\[\]]*(?:(?:${inner})[^"\[\]]*)*(?:\]|$)`;
}

const UNREAD_ARRAYS = new RegExp(`"(${UNREAD.join("|")})":${arrayOf(DEEPEST)}`, "g");

/**
 * The JSON of a list with 0 in the place of each array of which nothing is read: to parse them costs more than to pass over them
 * (docs/performance.md). What was no JSON because it was cut off remains none.
 */
export function withoutUnread(json: string): string {
  return json.replaceAll(UNREAD_ARRAYS, '"$1":0');
}
