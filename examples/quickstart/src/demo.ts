import { mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments, version } from './arguments.ts';
import { checkStoreName, storeNames } from './command-line.ts';
import { playStory, type StoryOptions } from './demo/story.ts';
import { playTasks } from './demo/tasks.ts';
import { playTwoNodes } from './demo/two-nodes.ts';

const DEADLINE_MS = 120_000;

const help = `Usage: npx -y pnpm@12 demo [options]

Kills an MCP server in the middle of a stream, starts it again, and checks that its client carries on: the same session,
its state, and every event that it missed, once. Takes about 15 seconds. The exit code is 0 if nothing was lost.

  --store <name>  where the sessions live, one of: ${storeNames} (default: sqlite; on two nodes postgres)
  --data <where>  the database of the postgres or dynamodb store, as for start
  --nodes <count> 1, or 2: two servers on one PostgreSQL, each request to the other one, and both are killed (default: 1).
                  Where no database is named, the demo brings its own
  --tasks         a task of revision 2026-07-28 on two servers with one file: the one that runs it is killed,
                  and the other one continues
  --version       shows the version
  --help          shows this`;

type Story = (options: StoryOptions) => Promise<void>;

async function play(story: Story, store: string, data: string | undefined): Promise<void> {
  const abort = new AbortController();
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    // Keep the first error; later ones are its consequences.
    failure ??= error;
    abort.abort(error);
  };
  setTimeout(() => fail(new Error(`Not done after ${DEADLINE_MS / 1_000} seconds`)), DEADLINE_MS).unref();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      process.exitCode = 128 + constants.signals[signal];
      fail(new Error(`Stopped by ${signal}`));
    });
  }
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-demo-'));
  // The server has exited. Some systems release its files a little later.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 10 }));
  const ends: (() => Promise<void>)[] = [];
  const atEnd = (end: () => Promise<void>): void => void ends.push(end);
  try {
    await story({ store, data, folder, signal: abort.signal, fail, atEnd });
  } catch (error) {
    fail(error instanceof Error ? error : new Error(String(error)));
    process.exitCode ??= 1;
  }
  // Ends the client and the servers, and then the resources that they use.
  abort.abort();
  for (const end of ends.toReversed()) await end();
  if (failure === undefined) console.log('\nThe demo succeeded.');
  else console.error(`\nThe demo failed. ${failure.message}`);
}

const options = {
  store: { type: 'string' },
  data: { type: 'string' },
  nodes: { type: 'string', default: '1' },
  tasks: { type: 'boolean', default: false },
  version: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const;
try {
  const values = readArguments(process.argv.slice(2), options);
  const { nodes, tasks, store = nodes === '2' ? 'postgres' : 'sqlite', data } = values;
  checkStoreName(store);
  if (nodes !== '1' && nodes !== '2') throw new Error(`Option --nodes is "${nodes}", not 1 or 2`);
  if (nodes === '2' && store !== 'postgres') {
    throw new Error(`Option --store is "${store}", but the demo with two nodes runs only on postgres`);
  }
  if (tasks && (nodes !== '1' || store !== 'sqlite' || data !== undefined)) {
    throw new Error('Option --tasks has its own nodes and store: leave out --nodes, --store and --data');
  }
  if (values.help) console.log(help);
  else if (values.version) console.log(version());
  else await play(tasks ? playTasks : nodes === '2' ? playTwoNodes : playStory, store, data);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 2;
}
