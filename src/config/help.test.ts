import { describe, expect, it } from "vitest";

import { widthOf } from "../output/lines.ts";
import { helpText } from "./help.ts";
import { flagOf, type OptionName, OPTIONS } from "./options.ts";

describe("the help", () => {
  it.each([60, 80, 200])("names every flag, variable and default, within %d columns", (columns) => {
    const text = helpText("1.2.3", columns);
    const prose = text.replaceAll(/\s+/g, " ");
    for (const name of Object.keys(OPTIONS) as OptionName[]) {
      const option: { flagOnly?: true; default: string; help: string } = OPTIONS[name];
      expect(text).toMatch(new RegExp(`--(\\[no-\\])?${flagOf(name)}\\b`));
      if (!option.flagOnly) expect(text).toContain(name);
      expect(prose).toContain(option.help.slice(0, 20));
      expect(prose).toContain(`Default: ${option.default || "nothing"}.`);
    }
    // Commands that can be copied are not broken.
    const lines = text.split("\n").filter((line) => !/^ *pod-rebalancer /.test(line));
    for (const line of lines) expect(widthOf(line)).toBeLessThanOrEqual(columns);
  });
});
