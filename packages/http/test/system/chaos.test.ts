import { appendFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { allAddresses } from '../support/addresses.ts';
import type { StoreAddress } from '../support/chaos-store.ts';
import type { Line } from '../support/line.ts';
import { runChaos } from '../support/chaos.ts';
import { lines } from '../support/lines.ts';

/**
 * Longer by hand:
 * `CHAOS_MS=120000 CHAOS_REPORT=report.txt npx vitest run test/system/chaos.test.ts`.
 */
const { CHAOS_MS = '8000', CHAOS_REPORT: FILE } = process.env;
const MS = Number(CHAOS_MS);

/** @throws Where something was lost, doubled or mixed up. */
async function play(line: Line, store: StoreAddress): Promise<void> {
  const report = await runChaos(line, store, MS, lines);
  if (FILE !== undefined) await appendFile(FILE, `SDK ${line.name}, ${store.kind}: ${JSON.stringify(report)}\n`);
  expect(report.violations).toEqual([]);
  expect(report.kills).toBeGreaterThan(0);
  expect(report.takeovers).toBeGreaterThan(0);
  expect(report.calls - report.interrupted).toBeGreaterThan(10);
}

describe.each(lines)(
  'three processes, one of which is killed every few seconds, SDK $name',
  { timeout: MS + 90_000 },
  (line) => {
    it.each(allAddresses)(
      'lose only the answers of the dead one, repeat nothing, and mix up nothing: %s',
      async (_, newAddress) => {
        await play(line, await newAddress());
        expect(MS).toBeGreaterThan(0);
      },
    );
  },
);
