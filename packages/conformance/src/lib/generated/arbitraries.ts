import * as fc from 'fast-check';
import type { Operation } from './operations.ts';

/** A call, by which of two handles, and how many milliseconds after the one before. */
export interface Step {
  readonly operation: Operation;
  readonly handle: number;
  readonly afterMs: number;
}

const session = fc.nat(2);
const key = fc.constantFrom('a', 'b', '__proto__');
const streamId = fc.constantFrom('x', 'y');
const principal = fc.constantFrom(null, 'p', 'q');
const ttlMs = fc.constantFrom(1, 50, 1_000, 100_000);
const sometimes = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });
const call = <const D extends Operation['do'], T extends object>(
  name: D,
  members: { [K in keyof T]: fc.Arbitrary<T[K]> },
) => fc.record<{ do: D } & T>({ do: fc.constant(name), ...members } as never);

const writes = fc.uniqueArray(
  fc.record({
    key,
    value: sometimes(fc.constantFrom('1', 'null', '"\\u0000"', '{"b":1,"a":2}')),
    expectedVersion: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.nat(4)),
  }),
  { minLength: 1, maxLength: 3, selector: (write) => write.key },
);

const requests = fc.uniqueArray(
  fc.record({
    session,
    streams: fc.array(streamId, { minLength: 1, maxLength: 4 }),
    size: fc.nat(8),
    ttlMs: sometimes(ttlMs),
  }),
  { minLength: 1, maxLength: 3, selector: (request) => request.session },
);

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: call('create', { session, principal, ttlMs: fc.constantFrom(50, 1_000, 100_000) }) },
  { weight: 2, arbitrary: call('read', { session }) },
  call('update', { session, expectedVersion: fc.integer({ min: 1, max: 3 }), ttlMs: sometimes(ttlMs) }),
  call('touch', { session, ttlMs }),
  call('end', { session, ttlMs }),
  call('heads', {}),
  call('list', { principal: sometimes(principal), limit: fc.integer({ min: 1, max: 4 }) }),
  call('count', { principal: sometimes(principal) }),
  call('sweep', { limit: fc.integer({ min: 1, max: 20 }) }),
  call('readAllState', { session }),
  call('readState', { session, keys: fc.uniqueArray(key) }),
  {
    weight: 4,
    arbitrary: call('commit', {
      session,
      writes,
      limit: fc.constantFrom('none', 'none', 'keys', 'bytes'),
      ttlMs: sometimes(ttlMs),
    }),
  },
  call('clear', { session, ttlMs: sometimes(ttlMs) }),
  { weight: 5, arbitrary: call('append', { requests }) },
  call('again', { back: fc.nat(5) }),
  {
    weight: 4,
    arbitrary: call('events', {
      session,
      streamId: sometimes(streamId),
      afterSeq: sometimes(fc.nat(12)),
      limit: fc.integer({ min: 1, max: 6 }),
      maxBytes: fc.integer({ min: 1, max: 40 }),
    }),
  },
  {
    weight: 3,
    arbitrary: call('trim', {
      session,
      maxEvents: sometimes(fc.nat(6)),
      maxBytes: sometimes(fc.nat(40)),
      maxAgeMs: sometimes(fc.constantFrom(0, 1, 60, 2_000)),
      throughSeq: sometimes(fc.nat(10)),
      limit: fc.integer({ min: 1, max: 10 }),
    }),
  },
);

/** Up to 60 calls. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ operation, handle: fc.nat(1), afterMs: fc.constantFrom(0, 0, 1, 49, 900) }),
  { minLength: 1, maxLength: 60, size: 'max' },
);
