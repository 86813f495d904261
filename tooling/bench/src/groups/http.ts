import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestSchema, openDatabase } from '@mcp-session-tooling/databases';
import { createSqliteStore } from '@mcp-session/sqlite';
import { compare, median, quantile, type Side, type Times } from '../lib/compare.ts';
import { startServer, type HttpClient, type HttpServer } from '../lib/http-client.ts';
import type { HttpPlan } from '../lib/http-plan.ts';
import type { Fact, Row, Scale, Section } from '../lib/result.ts';
import { message } from '../lib/workload.ts';

const MISSED = 1_000;
const STANDALONE = '_GET_stream';

/** Durable sessions over HTTP beside the plain transport of the same SDK. */
export async function http(scale: Scale): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-bench-'));
  const servers: HttpServer[] = [];
  const start = async (plan: HttpPlan) => {
    const server = await startServer(plan);
    servers.push(server);
    return server;
  };
  await using database = await openDatabase('postgres', { log: scale.say });
  await using place = await createTestSchema(database.url);
  try {
    const rows: Row[] = [];
    const facts: Fact[] = [];
    for (const sdk of ['v2', 'v1'] as const) {
      const path = join(folder, `${sdk}.db`);
      const postgres = { by: 'ours', backend: 'postgres', url: database.url, schema: place.schema } as const;
      const started = {
        sqlite: await start({ sdk, by: 'ours', backend: 'sqlite', path }),
        postgres: await start({ sdk, ...postgres }),
        plain: await start({ sdk, by: 'plain' }),
      };
      for (const clients of [1, 32]) rows.push(...(await calls(sdk, started, clients, scale)));
      const other = await start({ sdk, by: 'ours', backend: 'sqlite', path });
      rows.push(await restore(sdk, started.sqlite, other, scale));
      facts.push(...(await memory(sdk, started, other, scale)));
      rows.push(await resume(sdk, path, started.sqlite, scale));
      for (const server of servers.splice(0)) server.stop();
    }
    return {
      id: 'http',
      title: 'HTTP',
      text: 'A call of a tool that echoes, by clients that keep their connections, to a server in another process: with sessions in SQLite (`synchronous = full`) or PostgreSQL, and with the plain transport of the same SDK, which keeps them in a `Map` and loses them with the process. All stand behind the same bridge to `node:http`.',
      rows,
      facts,
    };
  } finally {
    for (const server of servers) server.stop();
    rmSync(folder, { recursive: true });
  }
}

async function calls(
  sdk: string,
  servers: Readonly<Record<'sqlite' | 'postgres' | 'plain', HttpServer>>,
  count: number,
  { quick, say }: Scale,
): Promise<Row[]> {
  const side = async (server: HttpServer): Promise<Side> => {
    const clients: HttpClient[] = [];
    for (let begun = 0; begun < count; begun++) clients.push(await server.begin());
    return { operations: count, run: () => Promise.all(clients.map((client) => client.call())) };
  };
  const sides = {
    sqlite: await side(servers.sqlite),
    postgres: await side(servers.postgres),
    plain: await side(servers.plain),
  };
  const runs = count === 1 ? 200 : 15;
  const { times, speedOf } = await compare(sides, quick ? { blocks: 2, runs: 3 } : { blocks: 5, runs });
  return (['sqlite', 'postgres'] as const).map((name) => {
    const ratio = speedOf(name, 'plain');
    const operation = `SDK ${sdk}, ${name}: tool call, ${count === 1 ? 'one client' : `${count} clients at once`}`;
    say(`${operation}: ${ratio.toFixed(2)} × the plain transport`);
    const beside = { name: 'plain transport', times: times('plain'), ratio, target: name === 'sqlite' ? 0.7 : 0.6 };
    return { operation, ours: times(name), beside: [beside] };
  });
}

/** The first call of each session on a process that does not hold it, and its second one. */
async function restore(sdk: string, begun: HttpServer, other: HttpServer, { quick, say }: Scale): Promise<Row> {
  const [first, second]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < (quick ? 3 : 80); turn++) {
    const { session } = await begun.begin();
    const client = other.carryOn(session);
    // Opens the connection.
    await client.call().catch(() => undefined);
    const fresh = other.carryOn((await begun.begin()).session);
    first.push(await timed(() => fresh.call()));
    second.push(await timed(() => client.call()));
  }
  const [ours, held] = [timesOf(first), timesOf(second)];
  say(`restore, SDK ${sdk}: ${ours.medianMs.toFixed(2)} ms, held ${held.medianMs.toFixed(2)} ms`);
  return {
    operation: `SDK ${sdk}, sqlite: first call of a session that the process does not hold`,
    ours,
    targetMs: held.medianMs + 3,
    beside: [{ name: 'a session that it holds', times: held, ratio: held.medianMs / ours.medianMs }],
  };
}

async function memory(
  sdk: string,
  servers: Readonly<Record<'sqlite' | 'plain', HttpServer>>,
  other: HttpServer,
  { quick }: Scale,
): Promise<Fact[]> {
  const count = quick ? 20 : 500;
  const grown = async (server: HttpServer, watched: HttpServer) => {
    const before = await watched.heapUsed();
    for (let begun = 0; begun < count; begun++) await server.begin();
    return (await watched.heapUsed()) - before;
  };
  const [held, plain, notHeld] = [
    await grown(servers.sqlite, servers.sqlite),
    await grown(servers.plain, servers.plain),
    await grown(servers.sqlite, other),
  ];
  const each = (bytes: number) => `${(bytes / count / 1_024).toFixed(1)} KiB`;
  return [
    {
      name: `SDK ${sdk}: memory of a session that is held`,
      value: each(held),
      beside: `plain transport: ${each(plain)}`,
    },
    { name: `SDK ${sdk}: memory of a session that is not`, value: each(notHeld), beside: '', target: '0' },
  ];
}

/** How soon a stream begins of which much was missed, beside one of which nothing was. */
async function resume(sdk: string, path: string, server: HttpServer, { quick, say }: Scale): Promise<Row> {
  const store = await createSqliteStore({ path, sweep: false });
  try {
    const client = await server.begin();
    const session = await store.get(client.session);
    if (session === undefined) throw new Error(`Session ${client.session} is not there`);
    const first = await session.events.append(STANDALONE, message());
    let last = first;
    for (let missed = 0; missed < MISSED; missed++) last = await session.events.append(STANDALONE, message());
    const [much, nothing]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < (quick ? 3 : 60); turn++) {
      much.push(await client.firstByte(first));
      nothing.push(await client.firstByte(last));
    }
    const [ours, none] = [timesOf(much), timesOf(nothing)];
    say(`resume, SDK ${sdk}: ${ours.medianMs.toFixed(2)} ms, with nothing missed ${none.medianMs.toFixed(2)} ms`);
    return {
      operation: `SDK ${sdk}, sqlite: first byte of a resume with ${MISSED.toLocaleString('en')} missed events`,
      ours,
      beside: [{ name: 'with nothing missed', times: none, ratio: none.medianMs / ours.medianMs }],
    };
  } finally {
    await store.close();
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

function timesOf(values: readonly number[]): Times {
  return { medianMs: median(values), p99Ms: quantile(values, 0.99) };
}
