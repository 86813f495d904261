import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';
import { serveOfficial } from './support/official-nodes.ts';

/** The official scenarios. That of notifications makes no check yet. */
const SCENARIOS = [
  'tasks-capability-negotiation',
  'tasks-dispatch-and-envelope',
  'tasks-lifecycle',
  'tasks-mrtr-composition',
  'tasks-mrtr-input',
  'tasks-request-headers',
  'tasks-request-state-removal',
  'tasks-required-task-error',
  'tasks-wire-fields',
];

it.each([1, 2])(
  'passes the official scenarios of tasks on %i node(s) that take turns',
  { timeout: 120_000 },
  async (count) => {
    const folder = await mkdtemp(join(tmpdir(), 'mcp-session-tasks-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const manifest = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json'));
    const args = ['server', '--url', await serveOfficial(count), '--suite', 'pending', '-o', folder];
    await promisify(execFile)(process.execPath, [join(dirname(manifest), 'dist/index.js'), ...args]).catch(
      // It fails for scenarios of other things.
      () => undefined,
    );
    const names = await readdir(folder);
    for (const scenario of SCENARIOS) {
      const name = names.find((each) => each.startsWith(`server-${scenario}-20`)) ?? '';
      const checks = JSON.parse(await readFile(join(folder, name, 'checks.json'), 'utf8')) as { status: string }[];
      const failed = checks.filter(({ status }) => status !== 'SUCCESS' && status !== 'INFO');
      expect([scenario, checks.length > 0, failed]).toEqual([scenario, true, []]);
    }
  },
);
