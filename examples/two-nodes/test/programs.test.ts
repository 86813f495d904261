import { createTestDatabase } from '@mcp-session-tooling/databases';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, inject, it, onTestFinished } from 'vitest';

/** One of the three programs, running. */
interface Program {
  readonly pid: number;
  readonly lines: readonly string[];
  kill(signal: NodeJS.Signals): void;
  /**
   * Resolves with what the pattern finds in a line, of those that were printed as well; rejects
   * when the program ends without it.
   */
  until(pattern: RegExp): Promise<string>;
  readonly exitCode: Promise<number | null>;
}

function run(name: 'server' | 'proxy' | 'client', args: readonly string[], env: NodeJS.ProcessEnv = {}): Program {
  const file = fileURLToPath(import.meta.resolve(`@mcp-session-examples/two-nodes/${name}`));
  const child = spawn(process.execPath, ['--conditions=@mcp-session/source', file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  });
  const lines: string[] = [];
  const ended = once(child, 'close');
  const output = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    pid: child.pid ?? 0,
    lines,
    kill: (signal) => void child.kill(signal),
    until: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.map((line) => pattern.exec(line)).find((match) => match !== null);
          if (found === undefined) return;
          output.off('line', look);
          resolve(found[1] ?? found[0]);
        };
        output.on('line', look);
        look();
        void ended.then(() => reject(new Error(`${name} ended without ${String(pattern)}: ${lines.join('\n')}`)));
      }),
    exitCode: ended.then(([code]) => code as number | null),
  };
}

const LISTENS = /listens on (\S+)$/;

async function start(): Promise<{
  readonly nodes: readonly [Program, Program];
  readonly proxy: Program;
  readonly url: string;
}> {
  const { url: DATABASE_URL, dispose } = await createTestDatabase(inject('postgres').url);
  onTestFinished(dispose);
  const nodes = [run('server', ['0'], { DATABASE_URL }), run('server', ['0'], { DATABASE_URL })] as const;
  const urls = await Promise.all(nodes.map((node) => node.until(LISTENS)));
  const proxy = run('proxy', ['0', ...urls.map((url) => new URL(url).origin)]);
  return { nodes, proxy, url: await proxy.until(LISTENS) };
}

interface Report {
  readonly title: string;
  readonly writers: readonly number[];
}

/** Lets the client have a report written, and does something to the node that writes it. */
async function writeReport(
  pages: number,
  signal: NodeJS.Signals,
): Promise<{ client: Program; report: Report } & Nodes> {
  const { nodes, proxy, url } = await start();
  const client = run('client', [url, String(pages)]);
  await client.until(/^Page 2 of /);
  // The client may get a page before its node prints it.
  const printed = nodes.map((node) => node.until(/^Page 2 of /).then(() => node));
  const writing = await Promise.any(printed);
  const other = writing === nodes[0] ? nodes[1] : nodes[0];
  writing.kill(signal);

  expect(await client.exitCode).toBe(0);
  expect(proxy.lines.filter((line) => line.startsWith('POST')).length).toBeGreaterThan(3);
  const report = JSON.parse(await client.until(/^Report (.+)$/)) as Report;
  expect(report).toMatchObject({ title: 'Two nodes', writers: { length: pages } });
  return { client, report, writing, other };
}

interface Nodes {
  readonly writing: Program;
  readonly other: Program;
}

it('a report is written to its end, every page once, though the node that writes it is killed', async () => {
  const { client, report, writing, other } = await writeReport(8, 'SIGKILL');
  const handover = report.writers.indexOf(other.pid);
  expect(handover).toBeGreaterThanOrEqual(2);
  expect(report.writers).toEqual([1, 2, 3, 4, 5, 6, 7, 8].map((page) => (page > handover ? other : writing).pid));
  expect(client.lines.filter((line) => line.startsWith('Calls again'))).toEqual([
    'Calls again: Request was interrupted: the server that handled it has stopped',
  ]);
});

it('a node that is told to stop finishes the report first, and the client notices nothing', async () => {
  // One second of work is left, of the five that the node has.
  const { client, report, writing } = await writeReport(3, 'SIGTERM');
  expect(report.writers).toEqual([1, 2, 3].map(() => writing.pid));
  expect(client.lines.filter((line) => line.startsWith('Calls again'))).toEqual([]);
  expect(await writing.exitCode).toBe(0);
});

it('no page of another site gets in', async () => {
  const { url } = await start();
  const { status } = await fetch(url, { method: 'POST', headers: { origin: 'http://evil.example' }, body: '{}' });
  expect(status).toBe(403);
});

it.each([
  ['server', ['0'], {}, 'Set DATABASE_URL to a PostgreSQL database'],
  ['server', ['0'], { DATABASE_URL: 'postgres://me:secret@127.0.0.1:1/none' }, 'Session store cannot be reached'],
  ['client', ['http://127.0.0.1:1/mcp'], {}, 'No server answers at http://127.0.0.1:1/mcp: '],
  ['client', ['127.0.0.1'], {}, 'No server answers at 127.0.0.1: '],
] as const)('%s %j with %j says what is wrong in one line', (name, args, env, message) => {
  const file = fileURLToPath(import.meta.resolve(`@mcp-session-examples/two-nodes/${name}`));
  const { DATABASE_URL: _, ...rest } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=@mcp-session/source', file, ...args], {
    env: { ...rest, ...env },
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stdout).toBe('');
  expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining(message)]);
  expect(stderr).not.toContain('secret');
});
