import type { SessionBackend } from '@mcp-session/core/backend';
import { createSqliteBackend } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished, vi } from 'vitest';

const limits = { maxKeys: 10, maxBytes: 1_000 };
const bound = { maxEvents: 1, maxBytes: undefined, createdBefore: undefined, throughSeq: undefined, limit: 10 };
const page = { sessionId: 'a', streamId: undefined, afterSeq: 1, limit: 10, maxBytes: 1_000 };
const newSession = { kind: 'session', principal: 'me', profile: '', expiresAt: 100 };

/** Every method, with every kind of argument that leads to a statement of its own. */
async function useEverything(backend: SessionBackend): Promise<void> {
  const event = { streamId: 's', message: '1', bytes: 1 };
  const append = (token: string) =>
    backend.appendEvents(
      [{ sessionId: 'a', token, events: Array.from({ length: 1_500 }, () => event), expiresAt: 200 }],
      1,
    );
  const commit = (value: string | undefined, expectedVersion?: number) =>
    backend.commitState(
      { sessionId: 'a', writes: [{ key: 'k', value, bytes: 1, expectedVersion }], limits, expiresAt: undefined },
      1,
    );
  await backend.createSession({ ...newSession, id: 'a' }, 1);
  await backend.createSession({ ...newSession, id: 'b' }, 1);
  await backend.updateSession('a', { profile: { text: '', expectedVersion: 1 }, record: undefined, expiresAt: 300 }, 1);
  await backend.updateSession('a', { profile: undefined, record: { text: '', expectedVersion: 0 }, expiresAt: 300 }, 1);
  for (const principal of [null, 'me']) await backend.readSession('a', 1, { kind: 'session', principal });
  await backend.touchSession('a', 400, 1);
  for (const principal of [undefined, null, 'me']) {
    await backend.listSessions({ kind: 'session', principal, afterId: 'a', limit: 10 }, 1);
    await backend.countSessions({ kind: 'session', principal }, 1);
  }
  await backend.readHeads(['a', 'b'], 1);
  await commit('1');
  await commit('2', 7);
  await commit(undefined);
  await backend.readState('a', undefined, 1);
  await backend.clearState('a', undefined, 1);
  await append('one');
  await append('two');
  await backend.trimEvents('a', { ...bound, maxEvents: undefined, throughSeq: 1_000, limit: 2_000 }, 1);
  for (const streamId of [undefined, 's']) {
    for (const afterSeq of [undefined, 1]) await backend.readEvents({ ...page, streamId, afterSeq }, 1);
  }
  await backend.endSession('b', 50, 1);
  while (!(await backend.sweep(1_000, 1_000)).done);
}

it('every statement finds its rows by an index, and a count reads no more rows than it must', async () => {
  const statements = new Set<string>();
  const database = new Database(':memory:', { verbose: (text) => statements.add(String(text)) });
  onTestFinished(() => void database.close());
  const backend = await createSqliteBackend({ database });
  await backend.migrate();
  statements.clear();
  await useEverything(backend);

  const queries = [...statements].filter((text) => /^(select|update|delete|insert)/.test(text));
  const plans = queries.map((text) => {
    const rows = database.prepare<[], { detail: string }>(`explain query plan ${text}`).all();
    return { text, steps: rows.map(({ detail }) => detail) };
  });
  expect(plans.length).toBeGreaterThan(30);
  expect(plans.filter(({ steps }) => steps.some((step) => /SCAN|TEMP B-TREE/.test(step)))).toEqual([]);
  const used = new Set(plans.flatMap(({ steps }) => steps).flatMap((step) => /INDEX (\w+)/.exec(step)?.[1] ?? []));
  expect([...used].toSorted()).toEqual([
    'mcp_events_by_stream',
    'mcp_sessions_by_kind',
    'mcp_sessions_by_principal',
    'mcp_sessions_by_sweep',
    'mcp_trims_by_seq',
    'sqlite_autoindex_mcp_events_1',
    'sqlite_autoindex_mcp_sessions_1',
  ]);
});

it('a page of sessions with their counts is one statement', async () => {
  const statements: string[] = [];
  const database = new Database(':memory:', { verbose: (text) => statements.push(String(text)) });
  onTestFinished(() => void database.close());
  const backend = await createSqliteBackend({ database });
  await backend.migrate();
  for (const id of ['a', 'b']) await backend.createSession({ ...newSession, id }, 1);
  statements.length = 0;

  const { rows } = await backend.listSessions({ kind: 'session', principal: 'me', afterId: undefined, limit: 10 }, 1);

  expect(rows.map(({ counts }) => counts)).toEqual(Array.from({ length: 2 }, () => ({ events: 0, stateKeys: 0 })));
  expect(statements).toHaveLength(1);
});

it('no statement of a request is prepared again for another run', async () => {
  const database = new Database(':memory:');
  onTestFinished(() => void database.close());
  const backend = await createSqliteBackend({ database });
  await backend.migrate();
  // The driver makes a function for the rows of a statement each time that SQLite has prepared it.
  const prepared = vi.spyOn(globalThis, 'Function');
  onTestFinished(() => prepared.mockRestore());
  await backend.createSession({ ...newSession, id: 'a' }, 1);
  const event = { streamId: 's', message: '1', bytes: 1 };
  let count = 0;
  const request = async (): Promise<void> => {
    count++;
    await backend.readSession('a', 1);
    for (const principal of [null, 'me', 'you']) await backend.readSession('a', 1, { kind: 'session', principal });
    await backend.updateSession(
      'a',
      { profile: undefined, record: { text: 'x', expectedVersion: count - 1 }, expiresAt: 300 + count },
      1,
    );
    await backend.touchSession('a', 400 + count, 1);
    await backend.readHeads(['a', 'b'], 1);
    const write = { key: `k${count}`, value: '1', bytes: 1, expectedVersion: undefined };
    await backend.commitState({ sessionId: 'a', writes: [write], limits, expiresAt: undefined }, 1);
    await backend.readState('a', ['k1'], 1);
    await backend.appendEvents([{ sessionId: 'a', token: `t${count}`, events: [event], expiresAt: 500 }], 1);
    for (const streamId of [undefined, 's']) {
      for (const afterSeq of [undefined, 1]) {
        // As a whole, and row by row.
        for (const maxBytes of [1_000, 1]) await backend.readEvents({ ...page, streamId, afterSeq, maxBytes }, 1);
      }
    }
  };

  await request();
  await request();
  expect(prepared).toHaveBeenCalled();
  prepared.mockClear();
  for (let n = 0; n < 4; n++) await request();

  expect(prepared).not.toHaveBeenCalled();
});
