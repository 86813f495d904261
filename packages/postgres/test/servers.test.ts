import { setTimeout as wait } from 'node:timers/promises';
import { openOwnServer, type OwnServer } from '@mcp-session-tooling/databases';
import { createPostgresStore } from '@mcp-session/postgres';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { append, createSession, newSchema, openBackend } from './support/schemas.ts';

let server: OwnServer;

beforeAll(async () => {
  server = await openOwnServer('postgres');
}, 120_000);

afterAll(() => server.close(), 60_000);

it.each(['restart', 'kill'] as const)(
  '%s in the middle of the work: typed errors, no acknowledged event lost, and the store works again',
  { timeout: 120_000 },
  async (fault) => {
    const { schema } = await newSchema(server.url);
    const retention = { maxEvents: 1_000_000 };
    const store = await createPostgresStore({ url: server.url, schema, statementTimeoutMs: 2_000, retention });
    onTestFinished(() => store.close());
    const session = await store.create();
    const acknowledged: number[] = [];
    let working = true;
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      for (let n = 0; working; n++) {
        try {
          acknowledged.push(Number.parseInt(await session.events.append('s', { writer, n })));
        } catch (error) {
          expect(error).toMatchObject({ name: 'SessionError', code: /^STORE_/, retryable: true });
          await wait(20);
        }
      }
    });
    await wait(300);
    if (fault === 'restart') await server.restart();
    else await server.kill().then(() => server.start());
    const before = acknowledged.length;
    while (acknowledged.length < before + 50) await wait(20);
    working = false;
    await Promise.all(writers);

    const seqs: number[] = [];
    const messages = new Set<string>();
    for await (const { seq, message } of session.events.replay()) {
      seqs.push(seq);
      messages.add(JSON.stringify(message));
    }
    expect(seqs.findIndex((seq, index) => seq !== index + 1)).toBe(-1);
    expect(messages.size).toBe(seqs.length);
    expect(acknowledged.filter((seq) => seq > seqs.length)).toEqual([]);
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
  },
);

it('one that is down: calls fail at once, and succeed when it is back', { timeout: 120_000 }, async () => {
  const { schema } = await newSchema(server.url);
  const backend = await openBackend({ url: server.url, schema });
  await backend.migrate();
  await createSession(backend);
  await server.stop();
  // The first call may still find a connection that the server has closed.
  for (const message of [/cannot be reached|closed the connection/, /cannot be reached/]) {
    await expect(append(backend, 'down')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
      message: expect.stringMatching(message),
    });
  }
  await server.start();
  await expect
    .poll(() => append(backend, 'up').catch(() => undefined), { timeout: 20_000 })
    .toMatchObject([{ firstSeq: 1 }]);
});
