import type { SessionBackend } from '@mcp-session/core/backend';
import { setTimeout as wait } from 'node:timers/promises';
import { sharedCase, type Case, type CaseContext } from '../case.ts';
import { Finding, holds, same } from '../findings.ts';
import type { ProcessPeer } from '../peer.ts';

/** How soon the end of a process must be found, in milliseconds. */
const FOUND_WITHIN_MS = 2_000;
/** How long a process is suspended, in milliseconds. */
const SUSPENDED_MS = 1_000;
/** How long a backend may not know yet how to identify its process, in milliseconds. */
const IDENTIFIED_WITHIN_MS = 10_000;

/** Texts that no backend has returned; the numbers are those of no process. */
const UNKNOWN = ['', ' ', 'process', '999999999', '4194304', "'", '%', '../x', '0'.repeat(32)];

export const processCases: readonly Case[] = [
  sharedCase('processes.certain', 'a process that lives or is suspended, and a text of no process', async (t) => {
    same(
      'identifyProcess' in t.backend,
      'findEndedProcesses' in t.backend,
      'identifyProcess and findEndedProcesses: a backend has both or neither',
    );
    if (t.backend.findEndedProcesses === undefined || !t.capabilities.shared) return;
    const peer = await t.killablePeer();
    const name = await identified(() => peer.call('identifyProcess'));
    const own = await identified(async () => t.backend.identifyProcess?.());
    holds(name !== own, 'two processes have the same identity');
    same(await t.backend.identifyProcess?.(), own, 'identifyProcess, asked again');
    for (const backend of await t.handles(2)) {
      await none(backend, [name, own, ...UNKNOWN], 'live processes and unknown texts');
    }
    await nonePeer(peer, [name, own, ...UNKNOWN]);
    peer.suspend();
    for (let waited = 0; waited < SUSPENDED_MS; waited += 100) {
      await none(t.backend, [name], 'a suspended process');
      await wait(100);
    }
    peer.resume();
    same(await peer.call('identifyProcess'), name, 'identifyProcess of a process that was suspended');
  }),

  sharedCase('processes.ended', 'killed with SIGKILL, also while it is suspended', async (t) => {
    if (t.backend.findEndedProcesses === undefined || !t.capabilities.shared) return;
    await killAndFind(t, false);
    await killAndFind(t, true);
  }),
];

async function killAndFind(t: CaseContext, isSuspended: boolean): Promise<void> {
  const [peer, witness] = [await t.killablePeer(), await t.killablePeer()];
  const name = await identified(() => peer.call('identifyProcess'));
  const other = await identified(() => witness.call('identifyProcess'));
  if (isSuspended) peer.suspend();
  await peer.kill();
  const killedAt = performance.now();
  const finders = [
    ...(await t.handles(2)).map((backend) => async () => backend.findEndedProcesses?.([name, other])),
    () => witness.call('findEndedProcesses', [other, name]),
  ];
  for (const find of finders) {
    let found = await find();
    for (let waited = 0; found?.size === 0 && waited < FOUND_WITHIN_MS; waited += 50) {
      await wait(50);
      found = await find();
    }
    same([...(found ?? [])], [name], `what findEndedProcesses finds within ${FOUND_WITHIN_MS} ms of a kill`);
  }
  holds(
    performance.now() - killedAt < finders.length * 2 * FOUND_WITHIN_MS,
    'finding the end of a process took too long',
  );
}

/** A backend that has just been opened may not know yet. */
async function identified(identify: () => Promise<string | undefined>): Promise<string> {
  for (let waited = 0; waited < IDENTIFIED_WITHIN_MS; waited += 20) {
    const name = await identify();
    if (name !== undefined) return name;
    await wait(20);
  }
  throw new Finding(`identifyProcess returned undefined for ${IDENTIFIED_WITHIN_MS} ms`);
}

async function none(backend: SessionBackend, processes: readonly string[], of: string): Promise<void> {
  same([...((await backend.findEndedProcesses?.(processes)) ?? [])], [], `what findEndedProcesses finds of ${of}`);
}

async function nonePeer(peer: ProcessPeer, processes: readonly string[]): Promise<void> {
  const found = await peer.call('findEndedProcesses', processes);
  same([...found], [], 'what findEndedProcesses of another process finds of live processes');
}
