// Runs in a process of its own, started by guard.ts. When its standard input closes, it ends
// everything that is still on its list.
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

// In reverse order: a server before the folder that it writes to.
for (const resource of [...held.values()].toReversed()) {
  if (resource.kind === 'process') await endProcess(resource.pid, resource.signal);
  else if (resource.kind === 'folder') await rm(resource.path, { recursive: true, force: true, maxRetries: 5 });
  else await removeLabelled(resource.label);
}

async function endProcess(pid: number, signal: NodeJS.Signals): Promise<void> {
  try {
    for (const each of [signal, 'SIGKILL'] as const) {
      process.kill(pid, each);
      for (let turn = 0; turn < 500; turn++) {
        await setTimeout(10);
        process.kill(pid, 0);
        if (await hasEnded(pid)) return;
      }
    }
  } catch {
    // It is gone.
  }
}

// Its parent is dead, so the init process should reap it. That of a container may not. The first
// thread can be a zombie while others still hold the ports, so their number (field 20) counts too.
async function hasEnded(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return /\) Z (\S+ ){16}[01] /.test(stat);
}

async function removeLabelled(label: string): Promise<void> {
  const { getContainerRuntimeClient } = await import('testcontainers');
  const client = await getContainerRuntimeClient();
  await removeContainers(client, label);
  // Again: a container that was requested at the last moment may appear after the first check.
  await setTimeout(1000);
  await removeContainers(client, label);
}
