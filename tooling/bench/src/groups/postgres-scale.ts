import { createTestSchema, openDatabase } from '@mcp-session-tooling/databases';
import { createPostgresStore } from '@mcp-session/postgres';
import connect from 'postgres';
import { KEY, STREAM } from '../lib/ours.ts';
import type { Scale, Section } from '../lib/result.ts';
import { EVENTS_OF_EACH, fillStore, measureScale, sizes, TOUCH_INTERVAL_MS } from '../lib/scale-cases.ts';
import { message } from '../lib/workload.ts';
import { rawPostgres } from '../raw/postgres.ts';

/** A large PostgreSQL store beside a small one. */
export async function postgresScale(scale: Scale): Promise<Section> {
  await using server = await openDatabase('postgres', { log: scale.say });
  await using places = new AsyncDisposableStack();
  const sql = connect(server.url, { max: 10, onnotice: () => undefined });
  places.defer(() => sql.end());
  const open = async (sessions: number) => {
    const { schema } = places.use(await createTestSchema(server.url));
    const store = await createPostgresStore({ sql, schema, sweep: false, touchIntervalMs: TOUCH_INTERVAL_MS });
    places.defer(() => store.close());
    return fillStore(store, sessions, rawPostgres(sql, schema).subject, async () => {
      const text = JSON.stringify(message());
      await sql`
        insert into ${sql(schema)}.mcp_events (session_pk, seq, created_at, bytes, stream_id, message)
        select pk, k, ${Date.now()}, ${text.length}, ${STREAM}, ${text}
        from generate_series(1, ${EVENTS_OF_EACH}::int8) k cross join ${sql(schema)}.mcp_sessions`;
      await sql`
        insert into ${sql(schema)}.mcp_tokens (session_pk, token, first_seq, last_seq)
        select session_pk, gen_random_uuid()::text, seq, seq from ${sql(schema)}.mcp_events`;
      const value = JSON.stringify({ theme: 'dark', n: 0 });
      await sql`
        insert into ${sql(schema)}.mcp_state (session_pk, key, version, bytes, value)
        select pk, ${Buffer.from(KEY)}, 1, ${KEY.length + value.length}, ${value} from ${sql(schema)}.mcp_sessions`;
      await sql`
        update ${sql(schema)}.mcp_sessions set state_version = 1, state_keys = 1, state_bytes = ${KEY.length + value.length}`;
      await sql`update ${sql(schema)}.mcp_sessions set last_seq = ${EVENTS_OF_EACH}, log_bytes = ${EVENTS_OF_EACH * text.length}`;
      for (const table of ['sessions', 'events', 'tokens', 'state']) {
        await sql`vacuum analyze ${sql(schema)}.${sql(`mcp_${table}`)}`;
      }
    });
  };
  const { small, large } = sizes(scale);
  const stores = [await open(small), await open(large)] as const;
  return {
    id: 'postgres-scale',
    title: 'PostgreSQL: a large store and a small one',
    text: `${(large * EVENTS_OF_EACH).toLocaleString('en')} events of ${large.toLocaleString('en')} sessions, compared with ${(small * EVENTS_OF_EACH).toLocaleString('en')} events of ${small} sessions, each use of another session, \`fsync = off\`; by hand in the same tables.`,
    rows: await measureScale(...stores, scale),
  };
}
