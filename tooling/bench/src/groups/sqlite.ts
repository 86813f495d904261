import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteStore } from '@mcp-session/sqlite';
import { ours } from '../lib/ours.ts';
import type { Scale, Section } from '../lib/result.ts';
import { measureStore, type Targets } from '../lib/store-cases.ts';
import { rawSqlite } from '../raw/sqlite.ts';

const targets: Targets = {
  append: 0.7,
  spread: { serial: 6, batch: 0.6 },
  focused: { serial: 6, batch: 0.6 },
  get: 0.4,
  set: 0.7,
  update: 0.6,
  replay: 0.8,
};

/** SQLite beside better-sqlite3, each on a file of its own in the same folder. */
export async function sqlite(synchronous: 'full' | 'normal', scale: Scale): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-bench-'));
  const rawPath = join(folder, 'raw.db');
  try {
    await (await createSqliteStore({ path: rawPath, sweep: false })).close();
    const store = await createSqliteStore({ path: join(folder, 'ours.db'), synchronous, sweep: false });
    const raw = rawSqlite(rawPath, synchronous);
    try {
      return {
        id: `sqlite-${synchronous}`,
        title: `SQLite, synchronous = ${synchronous}`,
        text: 'Beside better-sqlite3 by hand: the same tables, indexes, rows and `synchronous`, prepared statements, one transaction for each write, called synchronously.',
        rows: await measureStore(ours(store), raw, targets, scale),
      };
    } finally {
      raw.close();
      await store.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
