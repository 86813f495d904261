import { Child } from '@mcp-session-tooling/vitest/child';
import { setTimeout as wait } from 'node:timers/promises';
import { createPostgresStore } from '@mcp-session/postgres';
import { expect, it, onTestFinished } from 'vitest';
import { connect, newSchema } from './support/schemas.ts';

/** How long it goes on. A minute, to be sure: `MCP_SESSION_CHAOS_MS=60000`. */
const CHAOS_MS = Number(process.env['MCP_SESSION_CHAOS_MS'] ?? 10_000);
const PROCESSES = 4;

it(
  `${CHAOS_MS} ms of kills of writers, of the server's connections, and of the listening one: a reader has each acknowledged event once and in order`,
  { timeout: CHAOS_MS + 120_000 },
  async () => {
    const { url, schema } = await newSchema();
    // Readers and writers are hit alike: all of their connections have a name of the test.
    const named = (name: string) => ({ url: `${url}?application_name=${name}`, schema, maxConnections: 4 });
    const [reader, writer] = [`${schema}r`, `${schema}w`];
    const store = await createPostgresStore({
      ...named(reader),
      ttlMs: 3_600_000,
      retention: { maxEvents: 1_000_000 },
    });
    onTestFinished(() => store.close());
    const session = await store.create();
    const look = connect(url, { max: 1 });

    let rejections = 0;
    const reject = (): void => void rejections++;
    process.on('unhandledRejection', reject);
    onTestFinished(() => void process.off('unhandledRejection', reject));

    const acknowledged: string[] = [];
    let children = 0;
    const start = () =>
      new Child(new URL('support/crowd.ts', import.meta.url), [
        JSON.stringify(named(writer)),
        session.id,
        `w${children++}`,
      ]);
    let working = true;
    const kills = { writers: 0, connections: 0 };
    const crowds = Array.from({ length: PROCESSES }, async () => {
      // However slow the machine is, each has written enough before it is killed. One whose
      // connections are cut while it opens ends by itself.
      for (let written = 0; working || written < 30;) {
        const child = start();
        for (let line = await child.line(); line !== undefined; line = await child.line()) {
          acknowledged.push(line);
          if (++written % 30 === 0) break;
        }
        await wait(200 + Math.random() * 1_500);
        child.kill();
        kills.writers++;
        acknowledged.push(...(await child.lines()));
      }
    });
    const cutting = (async () => {
      while (working) {
        await wait(100 + Math.random() * 200);
        const cut = await look`
          select pg_terminate_backend(pid) from (
            select pid from pg_stat_activity where application_name in (${reader}, ${writer})
            order by query ilike 'listen%' and random() < 0.5 desc, random() limit 3
          ) as chosen`;
        kills.connections += cut.length;
      }
    })();

    const seen: string[] = [];
    const seqs: number[] = [];
    const end = new AbortController();
    const reading = (async () => {
      // A reader whose connection is cut begins again behind what it has.
      for (let after: string | undefined; !end.signal.aborted;) {
        try {
          for await (const event of session.events.tail({
            signal: end.signal,
            ...(after !== undefined && { after }),
          })) {
            after = event.id;
            seqs.push(event.seq);
            seen.push(String(event.message));
          }
        } catch (error) {
          expect(error).toMatchObject({ name: 'SessionError', retryable: true });
        }
      }
    })();

    await wait(CHAOS_MS);
    working = false;
    await Promise.all([...crowds, cutting]);
    // The server does what the last writers had sent when they were killed, and only then ends
    // their connections. Until it has read it, they count as idle.
    const left = () => look`select from pg_stat_activity where application_name = ${writer}`;
    await expect.poll(async () => (await left()).length, { timeout: 30_000 }).toBe(0);
    const [head] = await look.unsafe<{ last_seq: number }[]>(`select last_seq::int4 from ${schema}.mcp_sessions`);
    const lastSeq = head?.last_seq ?? -1;
    await expect.poll(() => seqs.at(-1), { timeout: 30_000 }).toBe(lastSeq);
    end.abort();
    await reading;

    expect([seqs.length, seqs.findIndex((seq, index) => seq !== index + 1)]).toEqual([lastSeq, -1]);
    expect(new Set(seen).size).toBe(seen.length);
    const missing = new Set(acknowledged);
    for (const message of seen) missing.delete(message);
    expect([...missing]).toEqual([]);
    expect(rejections).toBe(0);
    expect(Math.min(kills.writers, kills.connections)).toBeGreaterThan(3);
    expect(acknowledged.length).toBeGreaterThan(100);
    if (process.env['MCP_SESSION_CHAOS_MS'] !== undefined) {
      process.stdout.write(
        `chaos: ${JSON.stringify({ ...kills, acknowledged: acknowledged.length, events: lastSeq })}\n`,
      );
    }
  },
);
