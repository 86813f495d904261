// Follows one session in a process of its own. Reports to its parent how long after its append each
// event arrived, in milliseconds.
import { createPostgresStore } from '@mcp-session/postgres';
import { createSqliteStore } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import connect from 'postgres';
import { sentAt, type TailPlan } from './lib/tail.ts';

const plan = JSON.parse(process.argv[2] ?? '') as TailPlan;
const tell = (message: unknown): void => {
  process.send?.(performance.timeOrigin + performance.now() - sentAt(message));
};

// A waiting tail does not keep the process alive. A channel with a listener does, until the parent
// ends.
process.on('message', () => undefined);

if (plan.by === 'ours') {
  const store =
    plan.backend === 'sqlite'
      ? await createSqliteStore({ path: plan.path, sweep: false })
      : await createPostgresStore({ url: plan.url, schema: plan.schema, sweep: false });
  const session = await store.get(plan.id);
  if (session === undefined) throw new Error(`Session ${plan.id} does not exist`);
  process.send?.('ready');
  for await (const { message } of session.events.tail()) tell(message);
} else if (plan.backend === 'sqlite') {
  // Across processes, SQLite can only be polled: every 20 ms, as often as ours.
  const database = new Database(plan.path);
  const version = database.prepare('select data_version from pragma_data_version').pluck();
  const read = database.prepare<[string, number], { seq: number; message: string }>(
    'select seq, message from mcp_events where session_pk = (select pk from mcp_sessions where id = ?) and seq > ? order by seq',
  );
  let [seen, last] = [version.get(), 0];
  process.send?.('ready');
  setInterval(() => {
    const now = version.get();
    if (now === seen) return;
    seen = now;
    for (const { seq, message } of read.all(plan.id, last)) {
      last = seq;
      tell(JSON.parse(message));
    }
  }, 20);
} else {
  const { url, schema, id } = plan;
  const sql = connect(url, { max: 1 });
  let last = 0;
  const look = async (): Promise<void> => {
    const rows = await sql<{ seq: string; message: string }[]>`
      select seq, message from ${sql(schema)}.mcp_events
      where session_pk = (select pk from ${sql(schema)}.mcp_sessions where id = ${id}) and seq > ${last} order by seq`;
    for (const { seq, message } of rows) {
      last = Math.max(last, Number(seq));
      tell(JSON.parse(message));
    }
  };
  await sql.listen(`raw_${schema}`, () => void look());
  process.send?.('ready');
}
