import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf, collect } from '../support/errors.ts';
import { open } from '../support/open.ts';

describe('events.replay', () => {
  it('is complete over any number of pages by count', async () => {
    const { store, calls } = await open();
    const { events } = await store.create();
    await Promise.all(Array.from({ length: 5_001 }, (_, n) => events.append('s', n)));
    calls.take();

    const messages = (await collect(events.replay())).map(({ message }) => message);

    expect(messages).toEqual(Array.from({ length: 5_001 }, (_, n) => n));
    expect(calls.count('readEvents')).toBe(6);
  });

  it('is complete over any number of pages by bytes', async () => {
    const { store, calls } = await open();
    const { events } = await store.create();
    for (const size of [900_000, 200_000, 900_000, 2_000_000, 10, 10]) await events.append('s', 'x'.repeat(size));
    calls.take();

    const sizes = (await collect(events.replay())).map(({ message }) => (message as string).length);

    expect(sizes).toEqual([900_000, 200_000, 900_000, 2_000_000, 10, 10]);
    expect(calls.count('readEvents')).toBeGreaterThan(3);
  });

  it('yields the events after the cursor, of its stream alone, with the ids of append', async () => {
    const { store } = await open();
    const { events } = await store.create();
    const ids: string[] = [];
    for (let n = 0; n < 2_500; n++) ids.push(await events.append(['a', 'b', 'c'][n % 3] ?? '', n));

    for (const [at, id] of ids.entries()) {
      if (at % 187 !== 0) continue;
      const streamId = events.streamOf(id);
      expect((await collect(events.replay({ after: id, streamId }))).map((event) => event.id)).toEqual(
        ids.filter((other, index) => index > at && events.streamOf(other) === streamId),
      );
      expect((await collect(events.replay({ after: id }))).map((event) => event.id)).toEqual(ids.slice(at + 1));
    }
  });

  it('ends at the newest event at its start, whatever is appended meanwhile', async () => {
    const { store } = await open();
    const { events } = await store.create();
    await Promise.all(Array.from({ length: 1_250 }, (_, n) => events.append('s', n)));

    const seen: unknown[] = [];
    for await (const { message } of events.replay()) {
      seen.push(message);
      await events.append('s', 'meanwhile');
      if (seen.length > 1_300) break;
    }

    expect(seen).toEqual(Array.from({ length: 1_250 }, (_, n) => n));
  });

  it('answers concurrent calls in their order, across pages', async () => {
    const { events } = await (await open()).store.create();
    await Promise.all(Array.from({ length: 2_300 }, (_, n) => events.append('s', n)));

    const replay = events.replay();
    const results = await Promise.all(Array.from({ length: 2_302 }, () => replay.next()));

    expect(results.map(({ value }) => value?.message)).toEqual([
      ...Array.from({ length: 2_300 }, (_, n) => n),
      undefined,
      undefined,
    ]);
    expect(results.map(({ done }) => done).indexOf(true)).toBe(2_300);

    const other = events.replay();
    const first = other.next();
    const later = first.then(() => other.next());
    const answers = await Promise.all([first, other.next(), other.next(), later]);
    expect(answers.map(({ value }) => value?.message)).toEqual([0, 1, 2, 3]);
  });

  it('ends when its reader leaves it, also while a page is read', async () => {
    const { store, calls } = await open();
    const { events } = await store.create();
    await Promise.all(Array.from({ length: 1_500 }, (_, n) => events.append('s', n)));
    calls.take();

    const replay = events.replay();
    for await (const { message } of replay) if (message === 3) break;
    expect(await replay.next()).toEqual({ done: true, value: undefined });

    const other = events.replay();
    const [first, left, late] = await Promise.all([other.next(), other.return(), other.next()]);
    expect(first.value?.message).toBe(0);
    expect([left, late]).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);

    const thrown = events.replay();
    await thrown.next();
    await expect(thrown.throw(new Error('enough'))).rejects.toThrow('enough');
    expect(await thrown.next()).toEqual({ done: true, value: undefined });
    expect(calls.count('readEvents')).toBe(3);
  });

  it.each([0, 1, 1_000])('ends with an error at an event that is not JSON, number %i of the log', async (at) => {
    const { store } = await open({}, (inner) => ({
      async readEvents(query, now) {
        const page = await inner.readEvents(query, now);
        return (
          page && { ...page, events: page.events.map((row) => (row.seq === at + 1 ? { ...row, message: '{' } : row)) }
        );
      },
    }));
    const { events } = await store.create();
    await Promise.all(Array.from({ length: 1_500 }, (_, n) => events.append('s', n)));

    const replay = events.replay();
    for (let n = 0; n < at; n++) await replay.next();
    await expect(replay.next()).rejects.toMatchObject({ code: 'STORE_CORRUPT' });
    expect(await replay.next()).toEqual({ done: true, value: undefined });
  });

  it('yields nothing for a stream without events', async () => {
    const { events } = await (await open()).store.create();

    expect(await collect(events.replay())).toEqual([]);
    const id = await events.append('a', 1);
    expect(await collect(events.replay({ streamId: 'b' }))).toEqual([]);
    expect(await collect(events.replay({ after: id }))).toEqual([]);
  });

  it('fails when the session ends in between', async () => {
    const session = await (await open()).store.create();
    await Promise.all(Array.from({ length: 1_300 }, (_, n) => session.events.append('s', n)));

    const replay = session.events.replay();
    await replay.next();
    await session.end();

    expect(await codeOf(() => collect(replay))).toBe('SESSION_NOT_FOUND');
  });

  it('fails when the rest is trimmed in between, rather than pass a part off as everything', async () => {
    const { events } = await (await open()).store.create();
    await Promise.all(Array.from({ length: 2_250 }, (_, n) => events.append('s', n)));

    const replay = events.replay();
    await replay.next();
    await events.trim({ maxEvents: 100 });

    expect(await codeOf(() => collect(replay))).toBe('EVENTS_TRIMMED');
  });
});

describe('a replay without a cursor', () => {
  it('begins at the oldest retained event', async () => {
    const { events } = await (await open()).store.create();
    for (let n = 1; n <= 10; n++) await events.append(n % 2 === 0 ? 'even' : 'odd', n);
    await events.trim({ maxEvents: 4 });

    expect((await collect(events.replay())).map(({ message }) => message)).toEqual([7, 8, 9, 10]);
    expect((await collect(events.replay({ streamId: 'even' }))).map(({ message }) => message)).toEqual([8, 10]);
  });
});

it('any trims and cursors: a replay is complete or an error', async () => {
  const plan = fc.array(fc.oneof(fc.constantFrom('a', 'b', 'c'), fc.record({ keep: fc.nat(6) })), { maxLength: 40 });

  await fc.assert(
    fc.asyncProperty(plan, async (steps) => {
      const { events } = await (await open()).store.create();
      const ids: string[] = [];
      let kept = 0;
      for (const step of steps) {
        if (typeof step === 'string') {
          ids.push(await events.append(step, ids.length));
          kept++;
        } else {
          expect(await events.trim({ maxEvents: step.keep })).toBe(Math.max(0, kept - step.keep));
          kept = Math.min(kept, step.keep);
        }
      }
      const trimmed = new Set(ids.slice(0, ids.length - kept));
      for (const [at, after] of ids.entries()) {
        const streamId = events.streamOf(after);
        const rest = ids.slice(at + 1).filter((id) => events.streamOf(id) === streamId);
        const lost = rest.some((id) => trimmed.has(id));
        const replayed = collect(events.replay({ after, streamId })).then((all) => all.map(({ id }) => id));
        if (lost) await expect(replayed).rejects.toMatchObject({ code: 'EVENTS_TRIMMED' });
        else expect(await replayed).toEqual(rest);
      }
    }),
    { numRuns: 60 },
  );
});
