import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteStore } from '@mcp-session/sqlite';
import { ours, subjectOf } from '../lib/ours.ts';
import type { Scale, Section } from '../lib/result.ts';
import { measureStore, type Targets } from '../lib/store-cases.ts';
import { measureTails } from '../lib/tail.ts';
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

/** SQLite, compared with better-sqlite3, each on its own file in the same folder. */
export async function sqlite(synchronous: 'full' | 'normal', scale: Scale): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-bench-'));
  const [path, rawPath] = [join(folder, 'ours.db'), join(folder, 'raw.db')];
  try {
    await (await createSqliteStore({ path: rawPath, sweep: false })).close();
    const store = await createSqliteStore({ path, synchronous, sweep: false });
    const raw = rawSqlite(rawPath, synchronous);
    try {
      const rows = await measureStore(ours(store), raw, targets, scale);
      const session = await store.create();
      const id = await raw.createId();
      const tails = await measureTails(
        { subject: subjectOf(session), plan: { by: 'ours', backend: 'sqlite', path, id: session.id } },
        { subject: raw.subject(id), plan: { by: 'raw', backend: 'sqlite', path: rawPath, id } },
        { name: 'by hand, polling each 20 ms', targetMs: 20 },
        scale,
      );
      return {
        id: `sqlite-${synchronous}`,
        title: `SQLite, synchronous = ${synchronous}`,
        text: 'Compared with better-sqlite3 by hand: the same tables, indexes, rows and `synchronous`, prepared statements, one transaction for each write, called synchronously.',
        rows: [...rows, tails],
      };
    } finally {
      raw.close();
      await store.close();
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
