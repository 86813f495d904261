#!/usr/bin/env node
import { constants } from 'node:os';
import { runCli } from './lib/run.ts';

/** How long a command may take to end in good order after a signal, in milliseconds. */
const STOP_MS = 1_000;

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    stop.abort();
    // A command that waits for a database need not notice the signal.
    setTimeout(() => process.exit(128 + constants.signals[signal]), STOP_MS).unref();
  });
}
for (const output of [process.stdout, process.stderr]) {
  // A reader such as `head` closes the pipe when it has enough.
  output.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(0);
  });
}

// What waits for events must not, by itself, keep a server's process alive. Here it must.
const alive = setInterval(() => undefined, 60_000);
process.exitCode = await runCli(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  folder: process.cwd(),
  signal: stop.signal,
});
clearInterval(alive);
