import type { SessionBackend } from '@mcp-session/core/backend';
import { inHandles, type PlantedBug } from './bug.ts';

const LATE = Number.MAX_SAFE_INTEGER;
/**
 * How often a heart beats in the bug that goes by it, and how long it may be still, in
 * milliseconds.
 */
const BEAT_MS = 50;
const STILL_MS = 500;

export const processBugs: readonly PlantedBug[] = [
  inHandles('processes.ended', 'never finds that a process has ended', 'what findEndedProcesses finds within', () => ({
    findEndedProcesses: async () => new Set(),
  })),

  inHandles(
    'processes.certain',
    'goes by the process id, and takes any number for one',
    'what findEndedProcesses finds of live processes and unknown texts',
    () => ({
      identifyProcess: async () => String(process.pid),
      findEndedProcesses: async (names) =>
        new Set(names.filter((name) => /^\d+$/.test(name) && !isAlive(Number(name)))),
    }),
  ),

  inHandles(
    'processes.certain',
    'goes by a heartbeat, which a suspended process does not have',
    'what findEndedProcesses finds of a suspended process',
    (right) => {
      let beating: Promise<string> | undefined;
      return {
        identifyProcess: () => (beating ??= beat(right)),
        findEndedProcesses: async (names) => {
          const ended = new Set<string>();
          for (const name of names) {
            const row = name.startsWith('heart-') ? await right.readSession(name, 0) : undefined;
            if (row !== undefined && Date.now() - row.touchedAt > STILL_MS) ended.add(name);
          }
          return ended;
        },
      };
    },
  ),

  inHandles(
    'processes.certain',
    'finds that every process has ended that is not its own',
    'what findEndedProcesses finds of live processes',
    (right) => ({
      findEndedProcesses: async (names) => {
        const own = await right.identifyProcess?.();
        return new Set(names.filter((name) => name.startsWith('process-') && name !== own));
      },
    }),
  ),
];

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function beat(right: SessionBackend): Promise<string> {
  const id = `heart-${crypto.randomUUID()}`;
  await right.createSession({ id, kind: 'heart', principal: null, profile: '{}', expiresAt: LATE - 1 }, Date.now());
  setInterval(() => {
    right.touchSession(id, LATE, Date.now()).catch(() => undefined);
  }, BEAT_MS).unref();
  return id;
}
