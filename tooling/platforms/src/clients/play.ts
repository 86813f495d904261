import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Relay } from '../runtimes/relay.ts';
import { startNode } from '../runtimes/run.ts';
import { openStore, type Place } from '../runtimes/store.ts';
import type { RecordedStep } from '../tables/recorded.ts';

/** How long the server is away when it was killed. */
const DOWN_MS = 1_000;

/**
 * Runs a program that plays the story: it gets the URL as its last argument and writes a line of
 * JSON for each step. It writes "kill" when the server is to be killed and started again, and gets
 * a line when the server is back.
 */
export async function play([program = '', ...args]: readonly string[], path: string): Promise<RecordedStep[]> {
  const place: Place = { backend: 'sqlite', path };
  let server = await startNode(place);
  const relay = await Relay.start(server.url);
  const steps: RecordedStep[] = [];
  try {
    const child = spawn(program, [...args, relay.url], { stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const ended = once(child, 'close');
    const deadline = setTimeout(() => child.kill('SIGKILL'), 120_000);
    for await (const line of createInterface({ input: child.stdout })) {
      if (line.startsWith('{')) steps.push(JSON.parse(line) as RecordedStep);
      if (line !== 'kill') continue;
      await server.kill();
      await pause(DOWN_MS);
      server = await startNode(place);
      relay.moveTo(server.url);
      child.stdin.write('\n');
    }
    const [code] = (await ended) as [number | null];
    clearTimeout(deadline);
    if (code !== 0) steps.push({ step: 'the program', ok: false, note: stderr.trimEnd().split('\n').at(-1) ?? '' });
    const store = await openStore(place);
    const left = await store.count();
    await store.close();
    steps.push({ step: 'DELETE', ok: left === 0, note: left === 0 ? '' : 'the session is left to expire' });
    return steps;
  } finally {
    await relay.close();
    await server.kill();
  }
}
