import { describe, expect, it } from 'vitest';
import { errorOf } from './support/errors.ts';
import { open } from './support/open.ts';

/** A call with options that its types do not have. */
type Call = (options: never) => unknown;

describe('the options of a method', () => {
  it.each<[string, string, object, string]>([
    ['create', 'create', { ttl: 60 }, 'ttl of create; did you mean ttlMs?'],
    ['get', 'get', { owner: 'alice' }, 'owner of get; did you mean principal?'],
    ['list', 'list', { pageSize: 5 }, 'pageSize of list; did you mean limit?'],
    ['count', 'count', { principle: 'alice' }, 'principle of count; did you mean principal?'],
    ['append', 'append', { renwe: false }, 'renwe of append; did you mean renew?'],
    ['replay', 'replay', { lastEventId: '1' }, 'lastEventId of replay; did you mean after?'],
    ['tail', 'tail', { abortSignal: undefined }, 'abortSignal of tail; did you mean signal?'],
    ['end', 'end', { keepID: false }, 'keepID of end; did you mean keepId?'],
    ['trim', 'trim', { olderThan: 5 }, 'olderThan of trim; did you mean maxAgeMs?'],
  ])('%s: are refused where one has a wrong name, or where they are no object', async (_, name, wrong, words) => {
    const { store, calls } = await open();
    const session = await store.create();
    calls.take();
    const call: Record<string, Call> = {
      create: (options) => store.create(options),
      get: (options) => store.get(session.id, options),
      list: (options) => store.list(options),
      count: (options) => store.count(options),
      end: (options) => session.end(options),
      append: (options) => session.events.append('s', 1, options),
      replay: (options) => session.events.replay(options),
      tail: (options) => session.events.tail(options),
      trim: (options) => session.events.trim(options),
    };
    const errorWith = (options: unknown): Promise<unknown> => errorOf(async () => call[name]?.(options as never));

    expect(await errorWith(wrong)).toEqual(new TypeError(`Unknown option ${words}`));
    for (const [options, kind] of [
      [session.id, 'a string'],
      [null, 'null'],
      [[session.id], 'an array'],
    ] as const) {
      expect(await errorWith(options)).toEqual(new TypeError(`Options of ${name} are ${kind}, not an object`));
    }
    expect(await errorWith(Promise.resolve({}))).toEqual(
      new TypeError(`Options of ${name} are a promise, not an object: await it first`),
    );
    expect(calls.take()).toEqual([]);
  });

  it.each([
    ['create', ''],
    ['get', ''],
    ['list', ', or leave it out for all'],
    ['count', ', or leave it out for all'],
    ['endAll', ''],
  ] as const)('%s: take a principal that is undefined for a mistake', async (name, or) => {
    const { store, calls } = await open();
    const call: Record<typeof name, Call> = {
      create: (options) => store.create(options),
      get: (options) => store.get('any', options),
      list: (options) => store.list(options),
      count: (options) => store.count(options),
      endAll: (options) => store.endAll(options),
    };

    expect(await errorOf(async () => call[name]({ principal: undefined } as never))).toEqual(
      new TypeError(`Option principal of ${name} is undefined; give null for nobody${or}`),
    );
    expect(calls.take()).toEqual([]);
  });

  it('do not treat null as a default', async () => {
    const { store } = await open();
    const session = await store.create();

    for (const options of [{ kind: null }, { id: null }, { ttlMs: null }, { metadata: null }, { protocol: null }]) {
      expect(await errorOf(() => store.create(options as never))).toBeInstanceOf(Error);
    }
    expect(await errorOf(() => store.list({ limit: null } as never))).toEqual(
      new TypeError('Option limit is not a number'),
    );
    expect(await errorOf(() => session.events.append('s', 1, { renew: null } as never))).toEqual(
      new TypeError('Option renew is not a boolean'),
    );
  });

  it('accept only an AbortSignal as signal', async () => {
    const { events } = await (await open()).store.create();

    expect(() => events.tail({ signal: new AbortController() as never })).toThrow(
      new TypeError('Option signal is an object of class AbortController, not an AbortSignal'),
    );
  });

  it('say what a principal is instead of a text', async () => {
    const { store } = await open();

    for (const [principal, fault] of [
      [42, 'is a number'],
      [{ id: 'alice' }, 'is an object'],
      [Promise.resolve('alice'), 'is a promise'],
      ['', 'is empty'],
      ['secret\0', 'contains U+0000'],
      ['secret\ud800', 'is not well-formed Unicode'],
      ['secret'.repeat(200), 'is too long'],
    ] as const) {
      expect(await errorOf(() => store.create({ principal: principal as never }))).toMatchObject({
        code: 'INVALID_PRINCIPAL',
        message: `Principal ${fault}; give a string of 1 to 1024 bytes, or null for nobody`,
      });
      // A record is of one user.
      expect(await errorOf(async () => store.forPrincipal(principal as never))).toMatchObject({
        code: 'INVALID_PRINCIPAL',
        message: `Principal ${fault}; give a string of 1 to 1024 bytes`,
      });
    }
  });
});
