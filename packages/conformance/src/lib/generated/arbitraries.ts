import * as fc from 'fast-check';
import type { Operation } from './operations.ts';

/** A call, on one of two handles, some milliseconds after the previous call. */
export interface Step {
  readonly operation: Operation;
  readonly handle: number;
  readonly afterMs: number;
}

// The first session lives long and is used most, so most calls find something.
const session = fc.constantFrom(0, 0, 0, 0, 1, 1, 2);
const key = fc.constantFrom('a', 'b', 'A', '__proto__');
const streamId = fc.constantFrom('x', 'x', 'y', 'X');
const principal = fc.constantFrom(null, 'p', 'q', '');
const ttlMs = fc.constantFrom(1, 50, 1_000, 100_000);
const part = fc.constantFrom('profile', 'record', 'both');
const expectedVersion = fc.constantFrom('any', 'any', 'present', 'none', 'other');
const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });
const call = <const D extends Operation['do'], T extends object>(
  name: D,
  members: { [K in keyof T]: fc.Arbitrary<T[K]> },
) => fc.record<{ do: D } & T>({ do: fc.constant(name), ...members } as never);

const writes = fc.uniqueArray(
  fc.record({
    key,
    value: fc.constantFrom('1', '1.0', ' null', '"\\u0000"', '{"a":1,"a":2}', '"\u00e1"', undefined, undefined),
    expectedVersion,
  }),
  { minLength: 1, maxLength: 3, selector: (write) => write.key },
);

const requests = fc.uniqueArray(
  fc.record({
    session,
    events: fc.array(fc.record({ streamId, message: fc.constantFrom('{}', '"\u00e1"', '1.0', '[ 1, 2, 3 ]', '0') }), {
      minLength: 1,
      maxLength: 4,
    }),
    ttlMs: sometimes(ttlMs),
  }),
  { minLength: 1, maxLength: 3, selector: (request) => request.session },
);

const trim = fc
  .record({
    session,
    bound: fc.oneof(
      fc.record({ maxEvents: fc.nat(8) }),
      fc.record({ maxBytes: fc.nat(40) }),
      fc.record({ maxAgeMs: fc.constantFrom(0, 1, 49, 50, 900) }),
      fc.record({ throughSeq: fc.nat(25) }),
      fc.record({ maxEvents: fc.nat(8), maxBytes: fc.nat(40), throughSeq: fc.nat(25) }),
    ),
    limit: fc.constantFrom(1, 3, 100),
  })
  .map((given) => ({ do: 'trim' as const, ...given }));

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 2, arbitrary: call('create', { session, principal, ttlMs: fc.constantFrom(50, 1_000, 100_000) }) },
  { weight: 3, arbitrary: call('read', { session }) },
  { weight: 3, arbitrary: call('update', { session, part, expectedVersion, ttlMs: sometimes(ttlMs) }) },
  { weight: 2, arbitrary: call('touch', { session, ttlMs }) },
  call('end', { session: fc.constantFrom(0, 1, 1, 2, 2, 2), ttlMs }),
  { weight: 2, arbitrary: call('heads', {}) },
  { weight: 2, arbitrary: call('list', { principal: sometimes(principal), limit: fc.constantFrom(1, 2, 10) }) },
  { weight: 2, arbitrary: call('count', { principal: sometimes(principal) }) },
  { weight: 2, arbitrary: call('sweep', { limit: fc.constantFrom(1, 5, 20) }) },
  { weight: 2, arbitrary: call('readAllState', { session }) },
  { weight: 2, arbitrary: call('readState', { session, keys: fc.uniqueArray(key) }) },
  {
    weight: 8,
    arbitrary: call('commit', {
      session,
      writes,
      limit: fc.constantFrom('none', 'none', 'keys', 'bytes'),
      ttlMs: sometimes(ttlMs),
    }),
  },
  { weight: 2, arbitrary: call('clear', { session, ttlMs: sometimes(ttlMs) }) },
  { weight: 8, arbitrary: call('append', { requests }) },
  { weight: 3, arbitrary: call('again', { back: fc.nat(5) }) },
  {
    weight: 8,
    arbitrary: call('events', {
      session,
      streamId: sometimes(streamId),
      afterSeq: sometimes(fc.nat(25)),
      limit: fc.integer({ min: 1, max: 6 }),
      maxBytes: fc.integer({ min: 1, max: 40 }),
    }),
  },
  { weight: 6, arbitrary: trim },
);

/** Up to 100 calls. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ operation, handle: fc.nat(1), afterMs: fc.constantFrom(0, 0, 0, 1, 1, 49, 900) }),
  { minLength: 1, maxLength: 100, size: 'max' },
);
