import type { RecordedStep } from '../tables/recorded.ts';
import type { Caller } from './lines.ts';
import { allUp, type Proxied } from './nodes.ts';

/** A deploy as the documents describe it. */
export async function deployed(proxied: Proxied, caller: Caller): Promise<RecordedStep> {
  const { takeOut, bringBack } = proxied;
  const { calls, failures } = await callDuring(caller, async () => {
    for (const node of [...proxied.nodes, ...proxied.nodes]) {
      await takeOut?.(node);
      await node.end('SIGTERM');
      await allUp(proxied);
      await bringBack?.();
    }
  });
  return {
    step: 'SIGTERM of a node that was taken out',
    ok: failures.length === 0,
    note: `${failures.length} of ${calls} calls failed ${failures[0] ?? ''}`.trim(),
  };
}

/** SIGTERM to a node to which the proxy still sends calls. */
export async function terminated(proxied: Proxied, caller: Caller): Promise<RecordedStep> {
  const { calls, failures } = await callDuring(caller, async () => {
    for (const node of [...proxied.nodes, ...proxied.nodes]) {
      await node.end('SIGTERM');
      await allUp(proxied);
    }
  });
  return {
    step: 'SIGTERM of a node, none of its calls refused',
    // 502 comes from the proxy: its connection was not accepted any more.
    ok: failures.every((failure) => failure.includes('502')),
    note: `${failures.length} of ${calls} calls failed ${failures[0] ?? ''}`.trim(),
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
    await caller.call('where').catch((error: unknown) => failures.push(String(error).slice(0, 120)));
  }
  await working;
  return { calls, failures };
}
