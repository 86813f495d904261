import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Session, SessionStore } from '@mcp-session/core';
import { openStore } from './backends.ts';
import { problemsOf } from './check/all.ts';
import type { FinalSession } from './check/round.ts';
import { Crew } from './crew.ts';
import { doHarm, type FaultCounts } from './faults/faults.ts';
import { type Operation, readHistory } from './history.ts';
import { Random } from './random.ts';
import type { RowCounts, Storage } from './storage.ts';
import { readLog } from './work/events.ts';
import { type Pools, PRINCIPAL } from './work/sessions.ts';
import { readCounters } from './work/state.ts';

/**
 * One round: creates sessions, lets a crew use them, and then checks everything.
 */
export interface RoundOptions {
  readonly storage: Storage;
  readonly number: number;
  readonly seed: string;
  readonly ms: number;
  readonly workers: number;
  /** Whether to kill processes and make databases and connections fail. */
  readonly faults: boolean;
  readonly bug: string | undefined;
}

/** The result of a round. */
export interface RoundReport {
  readonly operations: number;
  readonly acknowledged: number;
  readonly tails: number;
  readonly delivered: number;
  readonly faults: FaultCounts;
  readonly problems: readonly string[];
  /** Folder of the histories, if there are problems. */
  readonly folder: string | undefined;
}

const SIZES = { steady: 4, trimmed: 2, ended: 24 } as const;
/** Greatest event of a round, in bytes: on DynamoDB more than one item. */
const LARGE_EVENT = { sqlite: 200_000, postgres: 200_000, dynamodb: 900_000 } as const;
/** Longer than any tombstone and any session lives, in milliseconds. */
const MUCH_LATER = 30 * 86_400_000;
/** Nodes that sweep at the same time. */
const SWEEPERS = 4;

export async function runRound(options: RoundOptions): Promise<RoundReport> {
  const { storage, seed, number, faults: withFaults, ms } = options;
  const { address } = storage;
  const random = new Random(`${seed} round ${number}`);
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-torture-round-'));
  // The first round creates the tables. Rows that exist before any session belong to none.
  let store = await openStore(address);
  const before = await storage.countRows();
  const pools = await createPools(store);
  await store.close();
  const crew = new Crew({
    address,
    pools,
    seed,
    folder,
    workers: options.workers,
    round: `r${number}`,
    lanes: address.backend === 'dynamodb' ? 4 : 6,
    tails: 2,
    largeEvent: LARGE_EVENT[address.backend],
    bug: options.bug,
    trouble: withFaults ? { throttledSessions: pools.steady.slice(0, 1), throttled: 0.3, unanswered: 0.01 } : undefined,
  });
  const counts: FaultCounts = {};
  try {
    await crew.start();
    const end = AbortSignal.timeout(ms);
    const scene = { crew, workers: options.workers, storage, pools, random, signal: end, counts };
    if (withFaults) await doHarm(scene);
    else await pause(ms);
    await crew.idle();
    store = await openStore(address);
    await crew.drain(
      Object.fromEntries([...(await finalSessions(store, pools))].map(([id, { lastSeq }]) => [id, lastSeq])),
    );
    const final = await finalSessions(store, pools);
    const operations = readHistory(crew.histories);
    const left = await leftovers(store, options, before);
    await store.close();
    const problems = [...crew.problems, ...problemsOf({ pools, operations, final, faults: withFaults }), ...left];
    if (problems.length === 0) rmSync(folder, { recursive: true });
    return { ...summary(operations), faults: counts, problems, folder: problems.length > 0 ? folder : undefined };
  } finally {
    crew.kill();
  }
}

async function createPools(store: SessionStore): Promise<Pools> {
  const create = async (count: number): Promise<string[]> =>
    Promise.all(Array.from({ length: count }, async () => (await store.create({ principal: PRINCIPAL })).id));
  const [steady, trimmed, ended] = await Promise.all([
    create(SIZES.steady),
    create(SIZES.trimmed),
    create(SIZES.ended),
  ]);
  return { steady, trimmed, ended };
}

async function finalSessions(store: SessionStore, { steady, trimmed }: Pools): Promise<Map<string, FinalSession>> {
  const all = await Promise.all([...steady, ...trimmed].map((id) => store.get(id, { principal: PRINCIPAL })));
  const found = all.filter((session) => session !== undefined);
  return new Map(await Promise.all(found.map(async (session) => [session.id, await finalSession(session)] as const)));
}

async function finalSession(session: Session): Promise<FinalSession> {
  return { log: await readLog(session), lastSeq: session.lastSeq, ...(await readCounters(session)) };
}

/**
 * Ends all sessions, sweeps on several nodes at once when everything has expired, and searches for
 * leftover rows.
 */
async function leftovers(store: SessionStore, { storage, bug }: RoundOptions, before: RowCounts): Promise<string[]> {
  for (let cursor: string | undefined; ;) {
    const page = await store.list({ limit: 200, ...(cursor !== undefined && { cursor }) });
    await Promise.all(page.sessions.map((session) => session.end()));
    if (page.nextCursor === undefined) break;
    cursor = page.nextCursor;
  }
  const sweepers = await Promise.all(
    Array.from({ length: SWEEPERS }, () =>
      openStore(storage.address, { bug }, { clock: () => Date.now() + MUCH_LATER }),
    ),
  );
  await Promise.all(sweepers.map((sweeper) => sweeper.sweep()));
  await Promise.all(sweepers.map((sweeper) => sweeper.close()));
  return Object.entries(await storage.countRows())
    .filter(([table, rows]) => rows > (before[table] ?? 0))
    .map(([table, rows]) => `${rows - (before[table] ?? 0)} rows in ${table} belong to no session`);
}

function summary(operations: readonly Operation[]): Omit<RoundReport, 'faults' | 'problems' | 'folder'> {
  const tails = operations.filter(({ name }) => name === 'tail');
  return {
    operations: operations.length,
    acknowledged: operations.filter(({ outcome }) => outcome === 'done').length,
    tails: tails.length,
    delivered: tails.reduce((sum, { delivered }) => sum + delivered.length, 0),
  };
}
