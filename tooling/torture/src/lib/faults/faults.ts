import { setTimeout as pause } from 'node:timers/promises';
import connectSqlite from 'better-sqlite3';
import connectPostgres from 'postgres';
import type { Crew } from '../crew.ts';
import type { Random } from '../random.ts';
import type { Storage } from '../storage.ts';
import type { Pools } from '../work/sessions.ts';

/** The faults of a round, counted by name. */
export type FaultCounts = Record<string, number>;

/** What the faults of a round need. */
export interface Scene {
  readonly crew: Crew;
  readonly workers: number;
  readonly storage: Storage;
  readonly pools: Pools;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly counts: FaultCounts;
}

/** Causes faults until the signal is aborted. Resolves when everything works again. */
export async function doHarm(scene: Scene): Promise<void> {
  await Promise.all([harmProcesses(scene), harmDatabase(scene)]);
}

async function harmProcesses(scene: Scene): Promise<void> {
  const { crew, workers, random } = scene;
  while (await waits(scene, 100, 1_000)) {
    const slot = random.whole(0, workers - 1);
    if (random.chance(0.75)) {
      await crew.replace(slot);
      count(scene, 'kills');
    } else {
      await crew.freeze(slot, random.whole(200, 1_500));
      count(scene, 'freezes');
    }
  }
}

async function harmDatabase(scene: Scene): Promise<void> {
  const { address } = scene.storage;
  switch (address.backend) {
    case 'sqlite':
      return holdLock(scene, address.path);
    case 'postgres':
      return harmPostgres(scene, address.url, address.schema);
    case 'dynamodb':
      // The workers cause the faults of its requests, see `dynamodb-client.ts`.
      return;
  }
}

/** Another process holds the write lock of the file for a while. */
async function holdLock(scene: Scene, path: string): Promise<void> {
  const database = connectSqlite(path);
  try {
    while (await waits(scene, 500, 2_000)) {
      try {
        database.exec('begin immediate');
      } catch {
        continue;
      }
      await pause(scene.random.whole(50, 600));
      database.exec('rollback');
      count(scene, 'held locks');
    }
  } finally {
    database.close();
  }
}

/** How long one fault may take to cause, in milliseconds: it can cut its own connection. */
const ACT_MS = 10_000;

async function harmPostgres(scene: Scene, url: string, schema: string): Promise<void> {
  const { random, storage } = scene;
  while (await waits(scene, 300, 1_500)) {
    const what = random.weighted({ cut: 5, hold: 4, crash: storage.server === undefined ? 0 : 1 });
    if (what === 'crash') {
      await storage.server?.kill();
      await pause(random.whole(0, 500));
      await storage.server?.start();
      count(scene, 'server crashes');
      continue;
    }
    const sql = connectPostgres(url, { max: 1, onnotice: () => undefined });
    const act = what === 'cut' ? cut(scene, sql, schema) : hold(scene, sql, schema);
    await Promise.race([act.catch(() => undefined), pause(ACT_MS, undefined, { ref: false })]);
    // Its open transaction is rolled back.
    await sql.end({ timeout: 1 }).catch(() => undefined);
  }
}

async function cut(scene: Scene, sql: connectPostgres.Sql, schema: string): Promise<void> {
  await sql`
    select pg_terminate_backend(pid) from (
      select pid from pg_stat_activity
      where pid <> pg_backend_pid() and application_name = ${schema} order by random() limit ${scene.random.whole(1, 4)}
    ) as chosen`;
  count(scene, 'cut connections');
}

async function hold(scene: Scene, sql: connectPostgres.Sql, schema: string): Promise<void> {
  const { random, pools } = scene;
  const id = random.pick([...pools.steady, ...pools.trimmed]);
  await sql.unsafe('begin');
  await sql`select from ${sql(`${schema}.mcp_sessions`)} where id = ${id} for update`;
  await pause(random.whole(100, 1_500));
  await sql.unsafe('rollback');
  count(scene, 'held rows');
}

/** @returns Whether there is time for more. */
async function waits({ random, signal }: Scene, fromMs: number, toMs: number): Promise<boolean> {
  await pause(random.whole(fromMs, toMs), undefined, { signal }).catch(() => undefined);
  return !signal.aborted;
}

function count({ counts }: Scene, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}
