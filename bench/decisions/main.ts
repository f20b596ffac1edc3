/**
 * Measures what rotating pods does to a consumer group: the product's own run, and what it is compared with, in thousands of
 * simulated states.
 *
 *     npm run bench:decisions -- --policy balanced --gate off --states 300 --json    one row
 *     npm run bench:decisions [-- --table gate] [-- --write]    the tables of docs/decision-quality.md
 */

import { DEFAULT_FLAGS, readCommandLine, settingsOf } from "./flags.ts";
import { rowObject } from "./row-object.ts";
import { runRow } from "./row.ts";
import { renderTables, TABLE_NAMES, writeTables } from "./tables.ts";

async function main(args: readonly string[]): Promise<void> {
  const { given, json, write, table } = readCommandLine(args);
  if (Object.keys(given).length === 0 && !json) {
    if (table !== undefined && !TABLE_NAMES.includes(table)) {
      throw new Error(`--table is ${JSON.stringify(table)}, expected one of ${TABLE_NAMES.join(", ")}`);
    }
    const tables = await renderTables(table);
    if (write) writeTables(tables);
    else for (const [name, markdown] of tables) process.stdout.write(`## ${name}\n\n${markdown}\n\n`);
    return;
  }
  const flags = { ...DEFAULT_FLAGS, ...given };
  const row = rowObject(flags, await runRow(settingsOf(flags)));
  process.stdout.write(`${json ? JSON.stringify(row) : JSON.stringify(row, undefined, 2)}\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench:decisions: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 2;
}
