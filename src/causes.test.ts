import { describe, expect, it } from "vitest";

import { CAUSES } from "./causes.ts";

describe("the remedy of a cause", () => {
  it.each(Object.entries(CAUSES))("%s stands well above a decision to rotate", (_cause, { remedy }) => {
    expect(remedy).not.toMatch(/no rotation|rotation (cannot|does not)|nothing to do/i);
  });
});
