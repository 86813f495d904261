import { appendFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { runChaos } from './support/chaos.ts';
import { lines } from './support/lines.ts';
import { newFile } from './support/nodes.ts';

/** Longer by hand: `CHAOS_MS=120000 CHAOS_REPORT=report.txt npx vitest run test/chaos.test.ts`. */
const { CHAOS_MS = '10000', CHAOS_REPORT: FILE } = process.env;
const MS = Number(CHAOS_MS);

describe.each(lines)(
  'three processes, one of which is killed every few seconds, SDK $name',
  { timeout: MS + 60_000 },
  (line) => {
    it('lose nothing but what the dead one was at, double nothing, and mix up nothing: SQLite', async () => {
      const report = await runChaos(line, { kind: 'sqlite', path: await newFile() }, MS, lines);
      if (FILE !== undefined) await appendFile(FILE, `SDK ${line.name}, SQLite: ${JSON.stringify(report)}\n`);
      expect(report.violations).toEqual([]);
      expect(report.kills).toBeGreaterThan(0);
      expect(report.calls - report.interrupted).toBeGreaterThan(50);
    });
  },
);
