import { Child } from '@mcp-session-tooling/vitest/child';
import { createSqliteBackend } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';
import { expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

const KILLS = 50;
/**
 * Processes that write at the same time, each killed in its turn: there is always one left, so that
 * locks are met as they were left behind.
 */
const WRITERS = 2;

it(
  `${KILLS} times kill -9 of a writer: nothing acknowledged is lost, no hole, no half request, no half commit`,
  { timeout: 300_000 },
  async () => {
    const path = await newFile();
    const backend = await createSqliteBackend({ path });
    onTestFinished(() => backend.close());
    await backend.migrate();
    const sessions = Array.from({ length: WRITERS }, (_, index) => `session-${index}`);
    for (const id of sessions) {
      await backend.createSession({ id, kind: 'session', principal: null, profile: '', expiresAt: 10 }, 1);
    }

    const acknowledged = await Promise.all(
      sessions.map(async (sessionId) => {
        let last = 0;
        for (let kill = 0; kill < KILLS / WRITERS; kill++) {
          const child = new Child(new URL('support/write-batches.ts', import.meta.url), [path, sessionId]);
          for (let lines = 1 + ((kill * 7) % 23); lines > 0; lines--) last = Number(await child.line());
          child.kill();
          // Lines that it wrote before it died count too.
          last = Number((await child.lines()).at(-1) ?? last);

          const all = { sessionId, streamId: undefined, afterSeq: 0, limit: 100_000, maxBytes: 1e9 };
          const log = (await backend.readEvents(all, 1))?.events ?? [];
          expect(log.map(({ seq, message }) => [seq, message])).toEqual(log.map((_, i) => [i + 1, String(i + 1)]));
          expect(log.length).toBeGreaterThanOrEqual(last);
          expect(log.length % 3).toBe(0);
          const state = (await backend.readState(sessionId, undefined, 1)) ?? [];
          expect(new Set(state.map(({ value }) => value)).size).toBe(1);
          expect(Number(state[0]?.value)).toBeGreaterThanOrEqual(last);
        }
        return last;
      }),
    );

    expect(Math.min(...acknowledged)).toBeGreaterThan(KILLS);
    const database = new Database(path, { readonly: true });
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
    database.close();
  },
);
