import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestSchema, openDatabase } from '@mcp-session-tooling/databases';
import connect from 'postgres';
import { compare, median, quantile, type Side, type Times } from '../lib/compare.ts';
import { startServer, type HttpClient, type HttpServer } from '../lib/http-client.ts';
import { openStore, type HttpPlan } from '../lib/http-plan.ts';
import { plainEventId, STANDALONE } from '../lib/plain-events.ts';
import type { Fact, Row, Scale, Section } from '../lib/result.ts';
import { message } from '../lib/workload.ts';

const MISSED = 1_000;
/**
 * Noise in the memory of a session that is not local, in bytes: garbage that one collection leaves
 * and another does not.
 */
const NOISE = 256;

type Ours = Extract<HttpPlan, { readonly by: 'ours' }>;

/** Durable sessions over HTTP, compared with the plain transport of the same SDK. */
export async function http(scale: Scale): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-session-bench-'));
  const servers: HttpServer[] = [];
  const start = async (plan: HttpPlan) => {
    const server = await startServer(plan);
    servers.push(server);
    return server;
  };
  await using database = await openDatabase('postgres', { log: scale.say, flushed: true });
  await using place = await createTestSchema(database.url);
  const fsync = await settingOf(database.url, 'fsync');
  try {
    const rows: Row[] = [];
    const facts: Fact[] = [];
    for (const sdk of ['v2', 'v1'] as const) {
      const path = join(folder, `${sdk}.db`);
      const postgres = { by: 'ours', backend: 'postgres', url: database.url, schema: place.schema } as const;
      const sqlite = { sdk, by: 'ours', backend: 'sqlite', path } as const;
      const onPostgres = { sdk, ...postgres };
      const [ours, oursOnPostgres, plain, other, otherOnPostgres, resuming] = await Promise.all([
        start(sqlite),
        start(onPostgres),
        start({ sdk, by: 'plain' }),
        start(sqlite),
        start(onPostgres),
        start({ sdk, by: 'plain', missed: MISSED }),
      ]);
      const started = { sqlite: ours, postgres: oursOnPostgres, plain };
      for (const clients of [1, 32]) {
        const called = await calls(sdk, started, clients, scale);
        rows.push(...called.rows);
        facts.push(...called.facts);
      }
      rows.push(await restore(sqlite, ours, other, scale));
      facts.push(...(await memory(sdk, started, other, scale)));
      rows.push(await restore(onPostgres, oursOnPostgres, otherOnPostgres, scale));
      rows.push(await resume(sqlite, ours, resuming, scale));
      for (const server of servers.splice(0)) server.stop();
    }
    return {
      id: 'http',
      title: 'HTTP',
      text: `A call of an echo tool, by clients with persistent connections, to a server in another process: with sessions in SQLite (\`synchronous = full\`) or PostgreSQL (\`fsync = ${fsync}\`), and with the plain transport of the same SDK, which keeps them in a \`Map\` and loses them with the process. All use the same adapter for \`node:http\`. The target of a restore is 3 ms more than a call of a local session plus one read of the session from the store. The plain transport resumes from an array in memory.`,
      rows,
      facts,
    };
  } finally {
    for (const server of servers) server.stop();
    rmSync(folder, { recursive: true });
  }
}

async function settingOf(url: string, name: string): Promise<string> {
  const sql = connect(url, { max: 1 });
  try {
    const [row] = await sql<{ setting: string }[]>`select current_setting(${name}) as setting`;
    return row?.setting ?? 'unknown';
  } finally {
    await sql.end();
  }
}

async function calls(
  sdk: string,
  servers: Readonly<Record<'sqlite' | 'postgres' | 'plain', HttpServer>>,
  count: number,
  { quick, say }: Scale,
): Promise<{ readonly rows: readonly Row[]; readonly facts: readonly Fact[] }> {
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
  const { times, speedOf } = await compare(sides, quick ? { blocks: 2, runs: 3 } : { blocks: 9, runs });
  const perSecond = (name: keyof typeof sides) => Math.round(1_000 / times(name).medianMs).toLocaleString('en');
  const rows: Row[] = [];
  const facts: Fact[] = [];
  for (const name of ['sqlite', 'postgres'] as const) {
    const ratio = speedOf(name, 'plain');
    const operation = `SDK ${sdk}, ${name}: tool call, ${count === 1 ? 'one client' : `${count} clients at once`}`;
    say(`${operation}: ${ratio.toFixed(2)} × the plain transport`);
    const beside = { name: 'plain transport', times: times('plain'), ratio, target: name === 'sqlite' ? 0.7 : 0.6 };
    rows.push({ operation, ours: times(name), beside: [beside] });
    facts.push({
      name: `${operation}, calls per second`,
      value: perSecond(name),
      beside: `plain transport: ${perSecond('plain')}`,
    });
  }
  return { rows, facts };
}

/** The first call of each session on a process that does not have it in memory, and the second. */
async function restore(plan: Ours, begun: HttpServer, other: HttpServer, { quick, say }: Scale): Promise<Row> {
  const [first, second, reads]: [number[], number[], number[]] = [[], [], []];
  const store = await openStore(plan);
  try {
    for (let turn = 0; turn < (quick ? 3 : 80); turn++) {
      const held = other.carryOn((await begun.begin()).session);
      // Opens the connection and restores this session.
      await held.call();
      const fresh = other.carryOn((await begun.begin()).session, held);
      first.push(await timed(() => fresh.call()));
      second.push(await timed(() => held.call()));
      reads.push(await timed(() => store.get(held.session)));
    }
  } finally {
    await store.close();
  }
  const [ours, held, readMs] = [timesOf(first), timesOf(second), median(reads)];
  const where = `SDK ${plan.sdk}, ${plan.backend}`;
  say(
    `restore, ${where}: ${ours.medianMs.toFixed(2)} ms, held ${held.medianMs.toFixed(2)}, a read ${readMs.toFixed(2)}`,
  );
  return {
    operation: `${where}: first call of a session that the process does not hold`,
    ours,
    targetMs: held.medianMs + readMs + 3,
    beside: [{ name: 'a session that it holds', times: held, ratio: held.medianMs / ours.medianMs }],
  };
}

async function memory(
  sdk: string,
  servers: Readonly<Record<'sqlite' | 'plain', HttpServer>>,
  other: HttpServer,
  { quick }: Scale,
): Promise<Fact[]> {
  const count = quick ? 20 : 1_000;
  const grown = async (server: HttpServer, watched: HttpServer) => {
    const before = await watched.memoryUsed();
    for (let begun = 0; begun < count; begun++) await server.begin();
    return ((await watched.memoryUsed()) - before) / count;
  };
  const [held, plain, notHeld] = [
    await grown(servers.sqlite, servers.sqlite),
    await grown(servers.plain, servers.plain),
    await grown(servers.sqlite, other),
  ];
  const bytes = (value: number) => `${Math.round(value).toLocaleString('en')} bytes`;
  return [
    {
      name: `SDK ${sdk}: memory of a session that is held`,
      value: bytes(held),
      beside: `plain transport: ${bytes(plain)}`,
    },
    {
      name: `SDK ${sdk}: memory of a session that is not, in a process with the same store`,
      value: bytes(notHeld),
      beside: '',
      target: `0, measured to ${NOISE} bytes`,
      missed: notHeld > NOISE,
    },
  ];
}

/**
 * How soon a resumed stream begins if the client missed many events, compared with none, and with
 * the plain transport.
 */
async function resume(plan: Ours, server: HttpServer, plain: HttpServer, { quick, say }: Scale): Promise<Row> {
  const store = await openStore(plan);
  try {
    const client = await server.begin();
    const session = await store.get(client.session);
    if (session === undefined) throw new Error(`Session ${client.session} is not there`);
    const first = await session.events.append(STANDALONE, message());
    let last = first;
    for (let missed = 0; missed < MISSED; missed++) last = await session.events.append(STANDALONE, message());
    const plainClient = await plain.begin();
    const [much, nothing, inMemory]: [number[], number[], number[]] = [[], [], []];
    for (let turn = 0; turn < (quick ? 3 : 60); turn++) {
      much.push(await client.firstByte(first));
      nothing.push(await client.firstByte(last));
      inMemory.push(await plainClient.firstByte(plainEventId(0)));
    }
    const [ours, none, theirs] = [timesOf(much), timesOf(nothing), timesOf(inMemory)];
    const beside = (name: string, times: Times) => ({ name, times, ratio: times.medianMs / ours.medianMs });
    const where = `SDK ${plan.sdk}, ${plan.backend}`;
    say(
      `resume, ${where}: ${ours.medianMs.toFixed(2)} ms, with nothing missed ${none.medianMs.toFixed(2)}, plain ${theirs.medianMs.toFixed(2)}`,
    );
    return {
      operation: `${where}: first byte of a resume with ${MISSED.toLocaleString('en')} missed events`,
      ours,
      beside: [beside('plain transport', theirs), beside('with nothing missed', none)],
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
