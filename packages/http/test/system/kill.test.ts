import { createSqliteStore } from '@mcp-session/sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../support/harness.ts';
import { lines } from '../support/lines.ts';
import { newFile } from '../support/nodes.ts';
import { startProcess } from '../support/process.ts';
import { startProxy } from '../support/proxy.ts';
import { RawClient } from '../support/raw.ts';

const at = (port: number): URL => new URL(`http://127.0.0.1:${port}/mcp`);

describe.each(lines)('kill -9, SDK $name', { timeout: 30_000 }, (line) => {
  it('in the middle of a stream, the client keeps its session and state, and gets every missed event once', async () => {
    const path = await newFile();
    let server = await startProcess([line.name, path, 0, 500]);
    const { port } = server;
    // The next process may take longer to start than a client with so short a delay tries.
    const proxy = await startProxy(() => [port]);
    onTestFinished(proxy.close);
    const client = await line.connect(proxy.url, { onElicit: () => ({ name: 'Ada' }) });
    expect(await client.call('add', { note: 'a' })).toBe('["a"]');

    const progress: number[] = [];
    for (let round = 0; round < 3; round++) {
      const call = client.call(
        'count',
        { from: round * 1_000 + 1, to: round * 1_000 + 1_000, every: 5 },
        { onProgress: (n) => progress.push(n) },
      );
      const failed = call.catch((error: unknown) => String(error));
      await eventually(() => progress.length > 0 && (progress.at(-1) ?? 0) > round * 1_000 + 30);
      await server.kill();
      server = await startProcess([line.name, path, port, 500]);
      expect(await failed).toContain('interrupted');
    }

    expect(await client.call('add', { note: 'b' })).toBe('["a","b"]');
    expect(await client.call('ask')).toBe('{"name":"Ada"}');
    const logged = (): unknown[] => client.received.map(({ params }) => params['data']);
    await eventually(() => logged().length >= progress.length - 3);
    // What was stored was delivered, in order, on each stream once; only what came after the kill
    // is missing.
    for (const seen of [progress, logged() as number[]]) {
      for (let round = 0; round < 3; round++) {
        const part = seen.filter((n) => Math.ceil(n / 1_000) === round + 1);
        expect(part).toEqual(Array.from(part, (_, i) => round * 1_000 + i + 1));
        // The process can have died between a progress and its log line.
        expect(part.length).toBeGreaterThanOrEqual(30);
      }
    }
    await client.close();
  });

  it('everything stored when the process dies comes back byte for byte, on both kinds of stream', async () => {
    const path = await newFile();
    const first = await startProcess([line.name, path, 0, 200]);
    const client = new RawClient(at(first.port));
    await client.begin();
    const listening = await client.get();
    const standalone = [await listening.sse.next()];
    const call = await client.callTool('count', { from: 1, to: 100_000, every: 1 });
    const cursor = (await call.sse.next())?.id ?? '';
    for (let i = 0; i < 50; i++) standalone.push(await listening.sse.next());
    const answered = await client.callTool('tell');
    const frames = await answered.sse.rest();
    await first.kill();

    const second = await startProcess([line.name, path, first.port, 200]);
    const replayed = await client.get({ 'last-event-id': frames[0]?.id ?? '' });
    expect((await replayed.sse.rest()).slice(2)).toEqual(frames.slice(2));
    const resumed = await client.get({ 'last-event-id': cursor });
    expect((await resumed.sse.rest()).at(-1)?.data).toContain('interrupted');
    const again = await client.get({ 'last-event-id': standalone[0]?.id ?? '' });
    await again.sse.next();
    for (const frame of standalone.slice(1)) if (frame?.data) expect((await again.sse.message()).id).toBe(frame.id);
    await again.cancel();
    await second.kill();
  });

  it('a node that was suspended until it counted as dead does not answer a second time', async () => {
    const path = await newFile();
    const slow = await startProcess([line.name, path, 0, 900]);
    const other = await startProcess([line.name, path, 0, 900]);
    const client = new RawClient(at(slow.port));
    const id = await client.begin();
    const call = await client.callTool('stuck');
    const cursor = (await call.sse.next())?.id ?? '';
    slow.stop();
    const elsewhere = new RawClient(at(other.port), client.headers);
    const resumed = await elsewhere.get({ 'last-event-id': cursor });
    expect((await resumed.sse.rest()).at(-1)?.data).toContain('interrupted');
    slow.resume();
    // Its handler ends within two seconds of its own time.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const store = await createSqliteStore({ path });
    const session = await store.get(id);
    const answers = (await session?.events.recent(100, session.events.streamOf(cursor)))?.filter(({ message }) =>
      /"(error|result)"/.test(JSON.stringify(message)),
    );
    // It has answered, too late: every client that resumes, from anywhere, gets the first answer
    // and no other.
    expect(answers).toHaveLength(2);
    await store.close();
    for (const each of [client, elsewhere]) {
      const again = (await (await each.get({ 'last-event-id': cursor })).sse.rest()).filter(({ data }) => data);
      expect(again.filter(({ data }) => data?.includes('"result"'))).toEqual([]);
      expect(again.at(-1)?.data).toContain('interrupted');
      expect((await each.get({ 'last-event-id': again.at(-1)?.id })).status).toBe(204);
    }
    await call.cancel();
  });
});
