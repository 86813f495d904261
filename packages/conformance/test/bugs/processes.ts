import type { SessionBackend } from '@mcp-session/core/backend';
import { inHandles, type PlantedBug } from './bug.ts';

const LATE = Number.MAX_SAFE_INTEGER;
/** How often a heart beats in the bug that goes by it, in milliseconds. */
const BEAT_MS = 50;
/**
 * At how many looks in a row a handle may find a heart unmoved. Looks are counted, not time: the
 * case looks once with each handle while the process lives, and ten times while it is suspended.
 */
const STILL_LOOKS = 5;

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
      const looks = new Map<string, { readonly touchedAt: number; readonly still: number }>();
      return {
        identifyProcess: () => (beating ??= beat(right)),
        findEndedProcesses: async (names) => {
          const ended = new Set<string>();
          for (const name of names) {
            const row = name.startsWith('heart-') ? await right.readSession(name, 0) : undefined;
            if (row === undefined) continue;
            const last = looks.get(name);
            const still = last?.touchedAt === row.touchedAt ? last.still + 1 : 0;
            looks.set(name, { touchedAt: row.touchedAt, still });
            if (still >= STILL_LOOKS) ended.add(name);
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
