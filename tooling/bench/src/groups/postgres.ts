import { createTestSchema, openDatabase } from '@mcp-session-tooling/databases';
import { createPostgresStore } from '@mcp-session/postgres';
import connect from 'postgres';
import { ours, subjectOf } from '../lib/ours.ts';
import type { Scale, Section } from '../lib/result.ts';
import { measureStore, type Targets } from '../lib/store-cases.ts';
import { measureTails } from '../lib/tail.ts';
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

/**
 * PostgreSQL, compared with postgres.js, in two schemas of one server and over one pool.
 *
 * @param fsync `on`: as in production, a commit is on the disk when it is acknowledged. `off`: the
 * rest of the cost, without the disk.
 */
export async function postgres(fsync: 'on' | 'off', scale: Scale): Promise<Section> {
  await using server = await openDatabase('postgres', { log: scale.say, flushed: fsync === 'on' });
  await using place = await createTestSchema(server.url);
  await using rawPlace = await createTestSchema(server.url);
  const sql = connect(server.url, { max: 10, onnotice: () => undefined });
  try {
    await (await createPostgresStore({ sql, schema: rawPlace.schema, sweep: false })).close();
    const store = await createPostgresStore({ sql, schema: place.schema, sweep: false });
    try {
      const raw = rawPostgres(sql, rawPlace.schema);
      // A server of the environment is set up by its owner.
      const [setting] = await sql<{ fsync: string }[]>`show fsync`;
      const rows = await measureStore(ours(store), raw, targets, scale);
      const session = await store.create();
      const id = await raw.createId();
      const followed = raw.subject(id);
      const notifying = {
        ...followed,
        append: async (message: object) => {
          await followed.append(message);
          await sql.notify(`raw_${rawPlace.schema}`, id);
        },
      };
      const { url } = server;
      const tails = await measureTails(
        {
          subject: subjectOf(session),
          plan: { by: 'ours', backend: 'postgres', url, schema: place.schema, id: session.id },
        },
        { subject: notifying, plan: { by: 'raw', backend: 'postgres', url, schema: rawPlace.schema, id } },
        { name: 'by hand, LISTEN and NOTIFY', targetMs: 5 },
        scale,
      );
      return {
        id: fsync === 'on' ? 'postgres' : 'postgres-unflushed',
        title: `PostgreSQL, fsync = ${setting?.fsync}`,
        text: `Compared with postgres.js by hand on ${server.product.replace(/ on port .*/, '')} (${server.source}): the same tables, indexes and rows, one prepared statement for each write, over the same pool of 10 connections.`,
        rows: [...rows, tails],
      };
    } finally {
      await store.close();
    }
  } finally {
    await sql.end();
  }
}
