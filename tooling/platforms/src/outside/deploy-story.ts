import type { RecordedStep } from '../tables/recorded.ts';
import type { Caller } from './lines.ts';
import { allUp, type Proxied } from './nodes.ts';

/** SIGTERM to each node, twice, while a client calls without a pause. */
export async function terminated(proxied: Proxied, caller: Caller): Promise<RecordedStep> {
  const { calls, failures } = await callDuring(caller, async () => {
    for (const node of [...proxied.nodes, ...proxied.nodes]) {
      await node.end('SIGTERM');
      await allUp(proxied);
    }
  });
  const kinds = new Set(failures.map((failure) => /502 Bad Gateway/.exec(failure)?.[0] ?? failure.slice(0, 120)));
  return {
    step: 'SIGTERM of a node',
    // The proxy answers 502 if Node had not accepted its connection when the node stopped.
    ok: proxied.asksNodes ? failures.length === 0 : [...kinds].every((kind) => kind.startsWith('502')),
    note: `${failures.length} of ${calls} calls failed ${[...kinds].join(', ')}`.trim(),
  };
}

/** Calls as fast as a client that calls once at a time, while something happens. */
async function callDuring(
  caller: Caller,
  work: () => Promise<void>,
): Promise<{ readonly calls: number; readonly failures: readonly string[] }> {
  const failures: string[] = [];
  let calls = 0;
  let isOver = false;
  const working = work().finally(() => (isOver = true));
  while (!isOver) {
    calls++;
    await caller.call('where').catch((error: unknown) => failures.push(String(error)));
  }
  await working;
  return { calls, failures };
}
