import { expect, it } from 'vitest';
import { run } from './support/children.ts';
import { openBehindProxy } from './support/open.ts';

/** Set it to see the figures that the README has. */
const SHOW = process.env['MCP_SESSION_SHOW_COLD_START'] !== undefined;

it('starts cold, and leaves nothing open that would keep the process alive', { timeout: 60_000 }, async () => {
  const { direct } = await openBehindProxy();
  const starts: Record<string, number>[] = [];
  for (let n = 0; n < (SHOW ? 9 : 1); n++) {
    starts.push(JSON.parse(await run('cold-start.ts', direct)) as Record<string, number>);
  }
  const median = (name: string) =>
    starts.map((start) => start[name] ?? 0).toSorted((a, b) => a - b)[starts.length >>> 1] ?? 0;
  const figures = Object.fromEntries(['loadedMs', 'openMs', 'usedMs'].map((name) => [name, Math.round(median(name))]));
  if (SHOW) process.stderr.write(`${JSON.stringify(figures)}\n`);
  expect(figures['loadedMs']).toBeLessThan(10_000);
});
