// Runs as a process of its own, started by guard.ts: ends what is still on its list when its
// standard input closes.
import { readFile, rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { removeContainers } from './containers.ts';
import type { GuardMessage, Resource } from './guard.ts';

const held = new Map<number, Resource>();

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line) as GuardMessage;
  if ('add' in message) held.set(message.add, message.resource);
  else held.delete(message.remove);
}

// The last first: a server before the folder that it writes to.
for (const resource of [...held.values()].toReversed()) {
  if (resource.kind === 'process') await endProcess(resource.pid, resource.signal);
  else if (resource.kind === 'folder') await rm(resource.path, { recursive: true, force: true, maxRetries: 5 });
  else await removeLabelled(resource.label);
}

async function endProcess(pid: number, signal: NodeJS.Signals): Promise<void> {
  try {
    process.kill(pid, signal);
    for (let turn = 0; turn < 500; turn++) {
      await setTimeout(10);
      process.kill(pid, 0);
      if (await isZombie(pid)) return;
    }
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}

// Its parent is dead, so the first process of the machine should take note of its end; that of a
// container may not.
async function isZombie(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /\) Z /.test(stat);
}

async function removeLabelled(label: string): Promise<void> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const client = await getContainerRuntimeClient();
  await removeContainers(client, label);
  // Again: a container that was asked for in the last moment may appear after the first look.
  await setTimeout(1000);
  await removeContainers(client, label);
}
