import { SessionError, type Session, type SessionEvent, type SessionEvents } from '@mcp-session/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatEventId, parseEventId, sessionTag } from '../../src/lib/events/event-id.ts';
import { codeOf, collect, errorOf } from '../support/errors.ts';
import { open } from '../support/open.ts';

describe('a cursor that was never issued', () => {
  it('is refused by every reader, in a message that cuts it', async () => {
    const { store } = await open();
    const { events } = await store.create();
    const other = await store.create();
    const id = await events.append('s', 1);
    await events.append('t', 2);
    const foreign = await other.events.append('s', 1);
    const tag = id.split('.')[1] ?? '';

    const never: [string, unknown][] = [
      ['empty', ''],
      ['a word', 'x'],
      ['only a number', '1'],
      ['no stream', `1.${tag}.`],
      ['no tag', '1.s'],
      ['number 0', `0.${tag}.s`],
      ['a leading zero', `01.${tag}.s`],
      ['a sign', `+1.${tag}.s`],
      ['a negative number', `-1.${tag}.s`],
      ['an exponent', `1e0.${tag}.s`],
      ['a fraction', `1.0.${tag}.s`],
      ['a space before', ` ${id}`],
      ['a line feed after', `${id}\n`],
      ['another session', foreign],
      ['another tag', `1.AAAAAAAA.s`],
      ['another stream', `1.${tag}.t`],
      ['a stream that never was', `1.${tag}.never`],
      ['the future', `3.${tag}.s`],
      ['2 to the power of 53', `9007199254740992.${tag}.s`],
      ['16 digits', `9999999999999999.${tag}.s`],
      ['400 digits', `${'9'.repeat(400)}.${tag}.s`],
      ['a long text', 'x'.repeat(100_000)],
      ['a lone surrogate', `1.${tag}.\ud800`],
      ['null', null],
      ['a number', 1],
      ['an object', { toString: () => id }],
    ];
    for (const [what, given] of never) {
      const after = given as string;
      const error = (await errorOf(() => events.replay({ after }).next())) as Error;
      const codes = [
        error instanceof SessionError ? error.code : 'none',
        await codeOf(() => events.tail({ after }).next()),
        await codeOf(() => events.trim({ through: after })),
      ];
      expect([what, ...codes]).toEqual([what, 'INVALID_CURSOR', 'INVALID_CURSOR', 'INVALID_CURSOR']);
      expect(error.message.length).toBeLessThan(250);
    }
    expect(await collect(events.replay())).toHaveLength(2);
  });

  it('is refused for another stream than its own', async () => {
    const { events } = await (await open()).store.create();
    const after = await events.append('a', 1);
    await events.append('b', 2);

    expect(await codeOf(() => events.replay({ after, streamId: 'b' }).next())).toBe('INVALID_CURSOR');
    expect(await codeOf(() => events.tail({ after, streamId: 'b' }).next())).toBe('INVALID_CURSOR');
  });

  it('is refused after a trim too, if it can be recognized', async () => {
    const { events } = await (await open()).store.create();
    const id = await events.append('a', 1);
    for (let n = 2; n <= 10; n++) await events.append('b', n);
    await events.trim({ maxEvents: 2 });

    expect(await codeOf(() => events.replay({ after: id.replace('1.', '5.'), streamId: 'a' }).next())).toBe(
      'INVALID_CURSOR',
    );
    expect(await codeOf(() => events.replay({ after: id.replace('1.', '11.') }).next())).toBe('INVALID_CURSOR');
    expect(await codeOf(() => events.replay({ after: id.replace(/a$/, 'c'), streamId: 'c' }).next())).toBe(
      'INVALID_CURSOR',
    );
  });

  it('has no stream', async () => {
    const { store } = await open();
    const { events } = await store.create();
    const foreign = await (await store.create()).events.append('s', 1);

    for (const id of [foreign, '', 'x', '1', undefined, null, 5]) expect(events.streamOf(id as string)).toBeUndefined();
  });
});

describe('a cursor below what was trimmed', () => {
  it('throws an error that tells how much is missing', async () => {
    const { events } = await (await open()).store.create();
    const ids: string[] = [];
    for (let n = 1; n <= 10; n++) ids.push(await events.append('s', n));
    await events.trim({ maxEvents: 4 });

    for (const at of [0, 4]) {
      const error = await errorOf(() => events.replay({ after: ids[at] }).next());
      expect(error).toMatchObject({ name: 'EventsTrimmedError', code: 'EVENTS_TRIMMED', trimmedSeq: 6 });
      expect(await codeOf(() => events.tail({ after: ids[at], streamId: 's' }).next())).toBe('EVENTS_TRIMMED');
    }
    expect((await collect(events.replay({ after: ids[5] }))).map(({ message }) => message)).toEqual([7, 8, 9, 10]);
  });

  it('still works for a quiet stream when a busy one was trimmed', async () => {
    const { events } = await (await open()).store.create();
    const first = await events.append('quiet', 'first');
    const priming = await events.append('primed', {});
    for (let n = 0; n < 50; n++) await events.append('busy', n);
    await events.trim({ maxEvents: 0 });
    await events.append('quiet', 'second');
    await events.append('primed', 'message');
    await events.append('busy', 'last');

    const messages = async (after: string, streamId: string): Promise<unknown[]> =>
      (await collect(events.replay({ after, streamId }))).map(({ message }) => message);
    expect(await messages(first, 'quiet')).toEqual(['second']);
    expect(await messages(priming, 'primed')).toEqual(['message']);
    expect(await codeOf(() => messages(first, 'busy'))).toBe('INVALID_CURSOR');
    expect(await codeOf(() => collect(events.replay({ after: first })))).toBe('EVENTS_TRIMMED');
  });
});

describe('event ids', () => {
  const visible = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
    minLength: 1,
    maxLength: 255,
  });
  const seq = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });

  it('are parsed as they were written, and only by their own session', () => {
    fc.assert(
      fc.property(visible, visible, seq, visible, (session, other, number, streamId) => {
        const position = { seq: number, streamId };
        const id = formatEventId(sessionTag(session), position);

        expect(parseEventId(sessionTag(session), id)).toEqual(position);
        if (other !== session) expect(parseEventId(sessionTag(other), id)).toBeUndefined();
      }),
    );
  });

  it('have one form: parsing and formatting returns the same text', () => {
    const tag = sessionTag('session');
    const part = fc.oneof(
      fc.constantFrom('0', '1', '17', '.', tag, 's', ' ', '\n', '-', '9007199254740991', '9007199254740992'),
      visible,
    );

    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const text = parts.join('');
        const position = parseEventId(tag, text);
        expect(position === undefined ? text : formatEventId(tag, position)).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('a reader without a cursor, while the log is trimmed', () => {
  /**
   * A store whose first page of a log is empty although there is more, and then does something: as
   * where all of it was trimmed while it was read.
   */
  async function emptyAtFirst(meanwhile: (session: Session) => Promise<unknown>): Promise<SessionEvents> {
    const made: Session[] = [];
    let first = true;
    const { store } = await open({}, (inner) => ({
      async readEvents(query, now) {
        const page = await inner.readEvents(query, now);
        const [session] = made;
        if (!first || page === undefined || session === undefined) return page;
        first = false;
        await meanwhile(session);
        return { ...page, events: [], more: true };
      },
    }));
    const session = await store.create();
    made.push(session);
    for (let n = 1; n <= 4; n++) await session.events.append('s', n);
    return session.events;
  }
  const seqs = (events: readonly SessionEvent[]) => events.map(({ seq }) => seq);

  it('goes on from the oldest retained event until its first event', async () => {
    const cut = await emptyAtFirst(({ events }) => events.trim({ maxEvents: 2 }));
    expect(seqs(await collect(cut.replay()))).toEqual([3, 4]);

    const followed = await emptyAtFirst(({ events }) => events.trim({ maxEvents: 1 }));
    expect((await followed.tail().next()).value).toMatchObject({ seq: 4 });
  });

  it('yields nothing if nothing is left of what a replay would have yielded', async () => {
    const events = await emptyAtFirst(async (session) => {
      await session.events.append('s', 5);
      await session.events.append('s', 6);
      await session.events.trim({ maxEvents: 1 });
    });
    expect(await collect(events.replay())).toEqual([]);
  });

  it('throws for events that were appended and trimmed after the start of its tail', async () => {
    const events = await emptyAtFirst(async (session) => {
      await session.events.append('s', 5);
      await session.events.append('s', 6);
      await session.events.trim({ maxEvents: 1 });
    });
    expect(await codeOf(() => events.tail().next())).toBe('EVENTS_TRIMMED');
  });

  it('throws for a gap after its first event', async () => {
    const { store } = await open();
    const { events } = await store.create();
    // A page holds one of them.
    for (let n = 1; n <= 4; n++) await events.append('s', 'x'.repeat(700_000));

    const reading = events.replay();
    expect((await reading.next()).value).toMatchObject({ seq: 1 });
    await events.trim({ maxEvents: 1 });
    expect(await codeOf(() => reading.next())).toBe('EVENTS_TRIMMED');
  });
});
