import { REMOVE, type Session, type SessionStore } from '@mcp-session/core';
import * as fc from 'fast-check';

/** What calls work on: a store, its sessions, and the ids that it has returned. */
export interface World {
  readonly store: SessionStore;
  readonly sessions: Session[];
  /** Event ids, in the order in which they were returned. */
  readonly cursors: string[];
}

/**
 * An argument and its name. Created anew for each store, so that none sees the other's mutations.
 */
export interface Argument {
  readonly name: string;
  readonly make: (world: World) => unknown;
}

/** Thrown by the caller's functions, getters and iterators. A call may rethrow it unchanged. */
export class Own extends Error {
  override readonly name = 'Own';
}

const own = (): never => {
  throw new Own('thrown by the caller');
};
const nested = (depth: number): unknown => JSON.parse('['.repeat(depth) + ']'.repeat(depth));
const cycle = (): unknown => {
  const value: { self?: unknown } = {};
  value.self = [value];
  return value;
};

/** Values that are valid nowhere. */
const strangers: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  '5': () => 5,
  NaN: () => Number.NaN,
  '1n': () => 1n,
  true: () => true,
  '{}': () => ({}),
  '[]': () => [],
  symbol: () => Symbol('stranger'),
  function: () => () => 1,
  'new String': () => Object('text') as unknown,
  promise: () => Promise.resolve('text'),
  date: () => new Date(0),
  bare: () => Object.create(null) as unknown,
};

/** Valid and invalid texts. */
const texts: Readonly<Record<string, () => unknown>> = {
  empty: () => '',
  space: () => 'a b',
  NUL: () => '\0',
  'text with NUL': () => 'a\0b',
  'lone surrogate': () => 'a\ud800',
  composed: () => '\u00e9',
  decomposed: () => 'e\u0301',
  emoji: () => '😀',
  __proto__: () => '__proto__',
  constructor: () => 'constructor',
  toString: () => 'toString',
  quotes: () => `'";\\--$1%_`,
  '255 bytes': () => 'x'.repeat(255),
  '256 bytes': () => 'x'.repeat(256),
  '255 bytes of euros': () => '€'.repeat(85),
  '258 bytes of euros': () => '€'.repeat(86),
  '1,025 bytes': () => 'p'.repeat(1_025),
};

function pool(makes: Readonly<Record<string, (world: World) => unknown>>): readonly Argument[] {
  return Object.entries(makes).map(([name, make]) => ({ name, make }));
}

/** An argument that is usually valid, so that calls pass the checks and find something. */
function mostly(right: Readonly<Record<string, (world: World) => unknown>>, wrong = { ...texts, ...strangers }) {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...pool(right)) },
    { weight: 1, arbitrary: fc.constantFrom(...pool(wrong)) },
  );
}

export const sessions: fc.Arbitrary<number> = fc.constantFrom(0, 0, 0, 1, 2);
export const keys: fc.Arbitrary<Argument> = mostly({ a: () => 'a', b: () => 'b', A: () => 'A', NFC: () => '\u00e9' });
export const streams: fc.Arbitrary<Argument> = mostly({ x: () => 'x', y: () => 'y' });
export const principals: fc.Arbitrary<Argument> = mostly({
  nobody: () => null,
  alice: () => 'alice',
  bob: () => 'bob',
});
export const limits: fc.Arbitrary<Argument> = mostly(
  { '1': () => 1, '2': () => 2, '1000': () => 1_000 },
  {
    ...strangers,
    '0': () => 0,
    '-1': () => -1,
    '1.5': () => 1.5,
    '1001': () => 1_001,
    '2^53': () => 2 ** 53,
    'a text': () => '2',
  },
);
export const flags: fc.Arbitrary<Argument> = mostly({ true: () => true, false: () => false });
export const signals: fc.Arbitrary<Argument> = mostly({
  aborted: () => AbortSignal.abort(),
  open: () => new AbortController().signal,
});
export const kinds: fc.Arbitrary<Argument> = mostly({ own: (world) => world.sessions[0]?.kind });
export const versions: fc.Arbitrary<Argument> = mostly({ '0': () => 0, '1': () => 1, '2': () => 2 });
export const values: fc.Arbitrary<Argument> = mostly(
  {
    null: () => null,
    zero: () => 0,
    'minus zero': () => -0,
    '1e308': () => 1e308,
    text: () => 'text',
    list: () => [1, [2], {}],
    object: () => ({ b: 1, a: { '': [] } }),
    'undefined inside': () => ({ a: undefined, b: [undefined] }),
    'own __proto__': () => JSON.parse('{"__proto__":{"polluted":true},"constructor":1}') as unknown,
    shared: () => ((one) => [one, one])({ a: 1 }),
    '999 bytes': () => 'x'.repeat(997),
    '1,000 bytes': () => 'x'.repeat(998),
    '1,000 levels': () => nested(1_000),
  },
  {
    ...texts,
    ...strangers,
    '1,001 bytes': () => 'x'.repeat(999),
    '1,001 levels': () => nested(1_001),
    '20,000 levels': () => nested(20_000),
    cycle,
    getter: () => Object.defineProperty({}, 'a', { enumerable: true, get: own }),
    proxy: () => new Proxy({}, { ownKeys: own }),
    toJSON: () => ({ toJSON: () => 'replaced' }),
    'failing toJSON': () => ({ toJSON: own }),
    map: () => new Map([['a', 1]]),
    bytes: () => new Uint8Array(3),
    hole: () => Object.assign(Array(3), { 1: 1 }),
    'list with a name': () => Object.assign([1], { name: 2 }),
    bigint: () => ({ deep: [1n] }),
    REMOVE: () => REMOVE,
  },
);
export const cursors: fc.Arbitrary<Argument> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .nat(30)
      .map((at) => ({ name: `event ${at}`, make: ({ cursors: given }: World) => given[at] ?? given.at(-1) })),
  },
  mostly({
    changed: ({ cursors: given }) => given[0]?.replace(/.$/, 'z'),
    longer: ({ cursors: given }) => `${given[0]}0`,
    twice: ({ cursors: given }) => given.join(''),
  }),
);
export const ids: fc.Arbitrary<Argument> = mostly({
  first: (world) => world.sessions[0]?.id,
  other: (world) => world.sessions[1]?.id,
});

/** Functions for `update`, and values that are no functions. */
export const changes: fc.Arbitrary<Argument> = fc.oneof(
  {
    weight: 2,
    arbitrary: values.map(({ name, make }) => ({ name: `() => ${name}`, make: (world: World) => () => make(world) })),
  },
  mostly({
    count: () => (n: unknown) => (typeof n === 'number' ? n : 0) + 1,
    same: () => (value: unknown) => value,
    REMOVE: () => () => REMOVE,
    throws: () => own,
    async: () => async () => 1,
    rejects: () => async () => own(),
  }),
);

/** Options with some of these members, or values that are no options. */
export function options(members: Readonly<Record<string, fc.Arbitrary<Argument>>>): fc.Arbitrary<Argument> {
  const some = fc.record(
    Object.fromEntries(
      Object.entries(members).map(([name, member]) => [name, fc.option(member, { nil: undefined, freq: 2 })]),
    ),
  );
  const right = some.map((chosen) => {
    const given = Object.entries(chosen).filter((entry): entry is [string, Argument] => entry[1] !== undefined);
    return {
      name: `{ ${given.map(([name, { name: value }]) => `${name}: ${value}`).join(', ')} }`,
      make: (world: World) => Object.fromEntries(given.map(([name, { make }]) => [name, make(world)])),
    };
  });
  const wrong = pool({
    ...strangers,
    unknown: () => ({ lastEventId: 1 }),
    polluted: () => Object.create({ ttl: 5 }) as unknown,
    text: () => 'text',
  });
  return fc.oneof({ weight: 4, arbitrary: right }, fc.constantFrom(...wrong));
}

/** Changes for `patch`, and values that are no changes. */
export const patches: fc.Arbitrary<Argument> = fc.oneof(
  { weight: 3, arbitrary: options({ a: values, b: values, ['__proto__']: values }) },
  fc.array(fc.tuple(keys, values), { maxLength: 4 }).map((pairs) => ({
    name: `pairs [${pairs.map(([key, value]) => `${key.name}: ${value.name}`).join(', ')}]`,
    make: (world: World) => pairs.map(([key, value]) => [key.make(world), value.make(world)]),
  })),
  fc.constantFrom(
    ...pool({
      '65 keys': () => Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, n])),
      'no pairs': () => [[], ['a'], 5],
      'failing list': () => ({ [Symbol.iterator]: own }),
      'failing object': () => Object.defineProperty({}, 'a', { enumerable: true, get: own }),
    }),
  ),
);
