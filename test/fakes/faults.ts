import { expect } from "vitest";

/** Each fault is the expected one, names the file that it is in, and shows no value of it: all are "s3cret". */
export function expectFaults(faults: readonly string[], path: string, expected: readonly RegExp[]): void {
  expect(faults).toHaveLength(expected.length);
  for (const [index, fault] of faults.entries()) {
    expect(fault).toMatch(expected[index] ?? "");
    expect(fault).toContain(path);
    expect(fault).not.toContain("s3cret");
  }
}
