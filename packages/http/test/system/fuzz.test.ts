import { createMemoryStore } from '@mcp-session/core/memory';
import type { SessionStore } from '@mcp-session/core';
import { createSqliteStore } from '@mcp-session/sqlite';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { Dice, shoot, type Targets } from '../support/fuzz.ts';
import { eventually, start } from '../support/harness.ts';
import { Connection } from '../support/keep-alive.ts';
import { lines } from '../support/lines.ts';
import type { RawClient } from '../support/raw.ts';

/** `HTTP_FUZZ_REQUESTS=100000 HTTP_FUZZ_SEED=7` for more, and for others. */
const REQUESTS = Number(process.env['HTTP_FUZZ_REQUESTS'] ?? 800);
const SEED = Number(process.env['HTTP_FUZZ_SEED'] ?? 20_261_126);
const WORKERS = 8;
/** A request that takes longer hangs. */
const PATIENCE_MS = 5_000;
const MARKER = 'the-owners-secret-7f3a';

async function sqlite(): Promise<SessionStore> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-session-fuzz-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return createSqliteStore({ path: join(folder, 'sessions.db'), synchronous: 'normal' });
}

const stores = { memory: () => createMemoryStore(), SQLite: sqlite };

/** A session that has something in its log, on both kinds of stream. */
async function targetsOf(
  client: RawClient,
  store: SessionStore,
  principal: string,
  text: string,
): Promise<Targets['own']> {
  const id = await client.begin();
  const answered = await (await client.callTool('echo', { text })).sse.rest();
  const session = await store.get(id, { principal });
  const listening = await session?.events.append('_GET_stream', {
    jsonrpc: '2.0',
    method: 'notifications/message',
    params: { level: 'info', data: text },
  });
  return { ids: [id], cursors: [...answered.flatMap(({ id: cursor }) => cursor ?? []), listening ?? ''] };
}

const cases = lines.flatMap((line) => Object.entries(stores).map(([name, open]) => ({ name, line, open })));

it.each(cases)(
  `hostile requests, SDK $line.name, $name: none is 500, hangs, crashes, leaks or stays`,
  { timeout: 60_000 + REQUESTS * 20 },
  async ({ line, open }) => {
    const broken: unknown[] = [];
    const note = (error: unknown): void => void broken.push(error);
    process.on('unhandledRejection', note).on('uncaughtException', note).on('warning', note);
    onTestFinished(
      () => void process.off('unhandledRejection', note).off('uncaughtException', note).off('warning', note),
    );
    const { raw, url, store, errors, handler, served } = await start(line, {
      store: await open(),
      localIdleMs: 100,
      keepAliveMs: 1_000,
      tools: {
        echo: ({ text }) => JSON.stringify(text) ?? 'nothing',
        ask: async (_, { elicit }) => JSON.stringify(await elicit('name?', 50).catch(() => 'nobody')),
        note: async (_, { notify, progress }) => {
          await notify('notifications/message', { level: 'info', data: 'noted' });
          await progress(1);
          return 'noted';
        },
      },
    });
    const bearer = (sub: string) => ({ authorization: `Bearer https://issuer|${sub}` });
    const foreign = await targetsOf(raw(bearer('owner')), store, 'https://issuer|owner', MARKER);
    const mine = [];
    for (let n = 0; n < 20; n++) {
      mine.push(await targetsOf(raw(bearer('mallory')), store, 'https://issuer|mallory', 'mine'));
    }
    const targets: Targets = {
      own: { ids: mine.flatMap(({ ids }) => ids), cursors: mine.flatMap(({ cursors }) => cursors) },
      foreign,
    };
    const statuses = new Map<number, number>();

    const work = async (dice: Dice): Promise<void> => {
      let connection = new Connection(Number(url.port));
      for (let n = 0; n < REQUESTS / WORKERS; n++) {
        if (connection.socket.destroyed || connection.received.length > 500_000) {
          connection.socket.destroy();
          connection = new Connection(Number(url.port));
        }
        const { method, bytes, last } = shoot(dice, targets, 'https://issuer|mallory');
        connection.socket.write(bytes, 'latin1');
        if (last) connection.socket.end();
        const before = performance.now();
        const answer = await connection.answer(PATIENCE_MS, method).catch(() => undefined);
        if (answer === undefined && !connection.socket.destroyed && performance.now() - before > PATIENCE_MS - 50) {
          throw new Error(`Hangs: ${JSON.stringify(bytes.slice(0, 2_000))}`);
        }
        const status = answer?.status ?? 0;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        // One that was ended is followed by another, or soon each answer would be 404.
        const ended =
          status === 204 && method === 'DELETE' ? targets.own.ids.findIndex((id) => bytes.includes(id)) : -1;
        if (ended >= 0) targets.own.ids[ended] = await raw(bearer('mallory')).begin();
        // A session that another worker ended in the middle of a call is said to move; the next
        // request finds it gone.
        const moves = status === 503 && answer?.body.includes('Session is being moved') === true;
        if (status >= 500 && status !== 505 && !moves) {
          throw new Error(`${status} ${answer?.body}: ${JSON.stringify(bytes.slice(0, 2_000))}`);
        }
        const streams = answer !== undefined && /text\/event-stream/i.test(answer.head);
        if (streams) await connection.until(() => undefined, dice.roll() * 20);
        if (connection.received.includes(MARKER)) throw new Error(`Leaks: ${JSON.stringify(bytes.slice(0, 2_000))}`);
        // What comes behind a stream, a HEAD or what was never a request is not told apart.
        if (streams || last || method === 'HEAD' || dice.chance(0.02)) connection.socket.destroy();
      }
      connection.socket.destroy();
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(new Dice(SEED + worker))));

    expect([broken, errors]).toEqual([[], []]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect((statuses.get(200) ?? 0) / REQUESTS).toBeGreaterThan(0.1);
    // The owner has lost nothing, and nothing is held for anybody.
    const owner = raw({ ...bearer('owner'), 'mcp-session-id': foreign.ids[0] ?? '' });
    expect(JSON.stringify((await (await owner.callTool('echo', { text: MARKER })).sse.message()).message)).toContain(
      MARKER,
    );
    served.cut();
    await eventually(() => handler.localSessions === 0);
  },
);
