import { createTestTables, dynamoDbConfig, openDatabase } from '@mcp-session-tooling/databases';
import type { Session } from '@mcp-session/core';
import { createDynamoDbBackend, createDynamoDbStore } from '@mcp-session/dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Meter, type Cost } from '../lib/capacity.ts';
import { KEY, STREAM, subjectOf } from '../lib/ours.ts';
import type { Count, Scale, Section } from '../lib/result.ts';
import { message } from '../lib/workload.ts';
import { RawDynamoDb } from '../raw/dynamodb.ts';

const AT_ONCE = 64;
/** Two items of each session, 100 in a transaction. */
const SESSIONS_OF_A_TRANSACTION = 50;
const LISTED = 100;
const METADATA = { agent: 'bench 1.0.0', plan: 'one of several' };

const TEXT = `Times on DynamoDB Local mean nothing. So this part counts requests, and capacity units of the tables and of the indexes that are read, in
a middleware of the SDK's client on DynamoDB Local. The capacity of a transaction is calculated from the sizes of its items, which DynamoDB Local
does not do. The comparison is the least that DynamoDB's interface allows, written by hand and counted in the same way:

- A session, a state key and an event are separate items, so that using one does not pay for another.
- Creating, renewing and ending a session are each one conditional write of one item.
- An append must check that the session is live, take a number and store an event, all or nothing: a transaction of two
  items, twice the price of two writes. A transaction holds 100 items, so 64 sessions take two, and 64 events of one session one.
- A key is read together with its session, to check that the session is live: a batch of two. It is written together with
  the session's item, which renews the session and takes a version: a transaction of two. An update reads and then writes.
- A replay is a query for each MB, and then a read of the session: whether it is live, and whether events were trimmed
  during the replay. A poll reads one item for each session that a tail waits for.
- A page of a listing is one query of an index that holds all attributes. A sweep is a query of an index by expiry, a
  query for each session, and batches of 25 deletions. Such indexes would be written with each use of a session, which is not counted here.`;

/** The DynamoDB backend in requests and capacity, compared with the least that is possible. */
export async function dynamodb({ quick, say }: Scale): Promise<Section> {
  await using server = await openDatabase('dynamodb', { log: say });
  await using tables = createTestTables(server.url);
  using other = new DynamoDBClientInUse(server.url);
  using used = new DynamoDBClientInUse(server.url);
  const { client } = used;
  let now = Date.now();
  const open = (name: string) => ({
    client,
    sessionsTable: `${tables.prefix}${name}`,
    eventsTable: `${tables.prefix}${name}-events`,
    autoCreateTables: true,
  });
  const options = { sweep: false as const, clock: () => now };
  const store = await createDynamoDbStore({ ...open('ours'), ...options });
  const swept = await createDynamoDbStore({ ...open('swept'), ...options });
  const raw = new RawDynamoDb(client, `${tables.prefix}raw`);
  const rawSwept = new RawDynamoDb(client, `${tables.prefix}raw-swept`);
  await raw.createTable();
  await rawSwept.createTable();
  const meter = new Meter(client, other.client);

  const counts: Count[] = [];
  const count = async (operation: string, ours: () => Promise<unknown>, least: () => Promise<unknown>) => {
    const both = { ours: await meter.of(ours), least: await meter.of(least) };
    counts.push({ operation, ...both });
    say(`${operation}: ${inWords(both.ours)}; the least ${inWords(both.least)}`);
  };
  const create = () => store.create({ metadata: METADATA });
  const createRaw = () => raw.create(JSON.stringify({ metadata: METADATA, protocol: {} }), now);

  await count('create', create, createRaw);
  const session = await create();
  const id = await createRaw();
  const subject = subjectOf(session);
  await count(
    'get',
    () => store.get(session.id),
    () => raw.get(id),
  );
  now += 600_000;
  await count(
    'touch',
    () => session.touch(),
    () => raw.touch(id, now),
  );
  await count(
    'append',
    () => session.events.append(STREAM, message()),
    () => raw.append(new Map([[id, [message()]]]), now),
  );

  const sessions: Session[] = [];
  const ids: string[] = [];
  for (let made = 0; made < (quick ? AT_ONCE : LISTED + 10); made++) {
    sessions.push(await create());
    ids.push(await createRaw());
  }
  const [some, someIds] = [sessions.slice(0, AT_ONCE), ids.slice(0, AT_ONCE)];
  await count(
    `append, ${AT_ONCE} at once over ${AT_ONCE} sessions`,
    () => Promise.all(some.map(({ events }) => events.append(STREAM, message()))),
    async () => {
      for (let from = 0; from < AT_ONCE; from += SESSIONS_OF_A_TRANSACTION) {
        const part = someIds.slice(from, from + SESSIONS_OF_A_TRANSACTION);
        await raw.append(new Map(part.map((each) => [each, [message()]])), now);
      }
    },
  );
  const batch = () => Array.from({ length: AT_ONCE }, message);
  await count(
    `append, ${AT_ONCE} at once to one session`,
    () => Promise.all(batch().map((each) => session.events.append(STREAM, each))),
    () => raw.append(new Map([[id, batch()]]), now),
  );

  const value = { theme: 'dark', n: 1 };
  await session.state.set(KEY, value);
  await raw.setState(id, value, now);
  await count(
    'state get',
    () => session.state.get(KEY),
    () => raw.getState(id),
  );
  await count(
    'state set',
    () => session.state.set(KEY, value),
    () => raw.setState(id, value, now),
  );
  await count(
    'state update',
    () => Promise.resolve(subject.update()),
    async () => raw.setState(id, await raw.getState(id), now),
  );

  const length = quick ? 90 : 1_000;
  const [log, rawLog] = [await create(), await createRaw()];
  for (let left = length; left > 0; left -= 90) {
    const events = Array.from({ length: Math.min(left, 90) }, message);
    await Promise.all(events.map((each) => log.events.append(STREAM, each)));
    await raw.append(new Map([[rawLog, events]]), now);
  }
  await count(
    `replay of ${length.toLocaleString('en')} events`,
    () => Promise.resolve(subjectOf(log).replay()),
    () => raw.replay(rawLog),
  );
  const backend = await createDynamoDbBackend(open('ours'));
  await count(
    `a poll for the tails of ${AT_ONCE} sessions`,
    () =>
      backend.readHeads(
        some.map((each) => each.id),
        now,
      ),
    () => raw.poll(someIds),
  );
  await count(
    `listing, a page of ${LISTED}`,
    () => store.list({ limit: LISTED }),
    () => raw.list(LISTED),
  );
  await count(
    'end',
    () => session.end(),
    () => raw.end(id, now),
  );

  const expired = quick ? 2 : 20;
  for (let made = 0; made < expired; made++) {
    const one = await swept.create({ metadata: METADATA });
    const rawOne = await rawSwept.create(JSON.stringify({ metadata: METADATA, protocol: {} }), now);
    const events = Array.from({ length: 10 }, message);
    await Promise.all(events.map((each) => one.events.append(STREAM, each)));
    await rawSwept.append(new Map([[rawOne, events]]), now);
    await one.state.set(KEY, value);
    await rawSwept.setState(rawOne, value, now);
  }
  now += 3_600_000;
  await count(
    `sweep of ${expired} sessions with 10 events and a key each`,
    () => swept.sweep(),
    () => rawSwept.sweep(now),
  );
  return { id: 'dynamodb', title: 'DynamoDB', text: TEXT, counts };
}

/** A client that is destroyed where its block ends. */
class DynamoDBClientInUse implements Disposable {
  readonly client: DynamoDBClient;

  constructor(url: string) {
    this.client = new DynamoDBClient({ ...dynamoDbConfig(url), maxAttempts: 1 });
  }

  [Symbol.dispose](): void {
    this.client.destroy();
  }
}

function inWords({ requests, read, write }: Cost): string {
  return `${requests} requests, ${read} read, ${write} written`;
}
