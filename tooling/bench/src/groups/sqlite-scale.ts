import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteStore } from '@mcp-session/sqlite';
import { KEY, STREAM } from '../lib/ours.ts';
import type { Scale, Section } from '../lib/result.ts';
import { EVENTS_OF_EACH, fillStore, measureScale, sizes, TOUCH_INTERVAL_MS } from '../lib/scale-cases.ts';
import { message } from '../lib/workload.ts';
import { rawSqlite } from '../raw/sqlite.ts';

/** A large SQLite file beside a small one. */
export async function sqliteScale(scale: Scale): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-bench-'));
  const opened: { close(): unknown }[] = [];
  const open = async (name: string, sessions: number) => {
    const path = join(folder, `${name}.db`);
    const store = await createSqliteStore({
      path,
      synchronous: 'normal',
      sweep: false,
      touchIntervalMs: TOUCH_INTERVAL_MS,
    });
    const raw = rawSqlite(path, 'normal');
    opened.push(raw, store);
    return fillStore(store, sessions, raw.subject, () => {
      const text = JSON.stringify(message());
      raw.database
        .prepare(
          `with recursive n (k) as (select 1 union all select k + 1 from n where k < ?)
           insert into mcp_events (session_pk, seq, stream_id, created_at, bytes, message)
           select pk, k, ?, ?, ?, ? from n cross join mcp_sessions`,
        )
        .run(EVENTS_OF_EACH, STREAM, Date.now(), text.length, text);
      const value = JSON.stringify({ theme: 'dark', n: 0 });
      raw.database.exec(`
        insert into mcp_tokens (session_pk, token, first_seq, last_seq)
          select session_pk, lower(hex(randomblob(11))), seq, seq from mcp_events;
        insert into mcp_state (session_pk, key, version, bytes, value)
          select pk, '${KEY}', 1, ${KEY.length + value.length}, '${value}' from mcp_sessions;
        update mcp_sessions set last_seq = ${EVENTS_OF_EACH}, log_bytes = ${EVENTS_OF_EACH * text.length},
          state_version = 1, state_keys = 1, state_bytes = ${KEY.length + value.length};
        pragma wal_checkpoint(truncate)`);
    });
  };
  try {
    const { small, large } = sizes(scale);
    const stores = [await open('small', small), await open('large', large)] as const;
    return {
      id: 'sqlite-scale',
      title: 'SQLite: a large store and a small one',
      text: `${(large * EVENTS_OF_EACH).toLocaleString('en')} events of ${large.toLocaleString('en')} sessions, compared with ${(small * EVENTS_OF_EACH).toLocaleString('en')} events of ${small} sessions, each use of another session, \`synchronous = normal\`; by hand on the same files.`,
      rows: await measureScale(...stores, scale),
    };
  } finally {
    for (const each of opened) await each.close();
    rmSync(folder, { recursive: true });
  }
}
