/**
 * Whether a name was probably meant for another: the same but for case, dashes and underscores, or but for one character
 * that is missing, too many, wrong, or has changed places with its neighbour; or up to two that are too many at the end.
 *
 * Names of fewer than five letters are near to too much.
 */
export function isNearMiss(name: string, known: string): boolean {
  const [given, meant] = [lettersOf(name), lettersOf(known)];
  const longer = given.startsWith(meant) && given.length <= meant.length + 2;
  return given === meant || (meant.length >= 5 && (longer || differByOne(given, meant)));
}

function lettersOf(name: string): string {
  return name.toUpperCase().replaceAll(/[-_]/g, "");
}

function differByOne(one: string, other: string): boolean {
  const shorter = Math.min(one.length, other.length);
  let head = 0;
  while (head < shorter && one[head] === other[head]) head += 1;
  let tail = 0;
  while (tail < shorter - head && one.at(-1 - tail) === other.at(-1 - tail)) tail += 1;
  const [left, right] = [one, other].map((text) => text.slice(head, text.length - tail)) as [string, string];
  if (left.length <= 1 && right.length <= 1) return true;
  return left.length === 2 && right.length === 2 && left[0] === right[1] && left[1] === right[0];
}
