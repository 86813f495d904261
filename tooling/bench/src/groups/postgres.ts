import { createTestSchema, openDatabase } from '@mcp-session-tooling/databases';
import { createPostgresStore } from '@mcp-session/postgres';
import connect from 'postgres';
import { ours } from '../lib/ours.ts';
import type { Scale, Section } from '../lib/result.ts';
import { measureStore, type Targets } from '../lib/store-cases.ts';
import { rawPostgres } from '../raw/postgres.ts';

const targets: Targets = {
  append: 0.9,
  spread: { unbatched: 3 },
  focused: { unbatched: 5 },
  get: 0.9,
  set: 0.9,
  update: 0.9,
  replay: 0.8,
};

/** PostgreSQL beside postgres.js, in two schemas of one server and over one pool. */
export async function postgres(scale: Scale): Promise<Section> {
  await using server = await openDatabase('postgres', { log: scale.say });
  await using place = await createTestSchema(server.url);
  await using rawPlace = await createTestSchema(server.url);
  const sql = connect(server.url, { max: 10, onnotice: () => undefined });
  try {
    await (await createPostgresStore({ sql, schema: rawPlace.schema, sweep: false })).close();
    const store = await createPostgresStore({ sql, schema: place.schema, sweep: false });
    try {
      return {
        id: 'postgres',
        title: 'PostgreSQL',
        text: `Beside postgres.js by hand on ${server.product} (${server.source}): the same tables, indexes and rows, one prepared statement for each write, over the very same pool of 10 connections.`,
        rows: await measureStore(ours(store), rawPostgres(sql, rawPlace.schema), targets, scale),
      };
    } finally {
      await store.close();
    }
  } finally {
    await sql.end();
  }
}
