import { SessionError, type Session, type SessionEvent } from '@mcp-session/core';
import { transportOf } from '@mcp-session/core/transport';
import * as fc from 'fast-check';
import * as hostile from './hostile.ts';
import { Own, type Argument, type World } from './hostile.ts';

/** A call of the public API. It names a session by its index. */
export interface Call {
  readonly method: string;
  readonly session: number;
  readonly arguments: readonly Argument[];
}

/** Arguments of any type, as in a program that was never type-checked. */
type Any = never;

interface Method {
  readonly takes: readonly fc.Arbitrary<Argument>[];
  readonly run: (world: World, session: Session, ...given: Any[]) => unknown;
}

const { cursors, keys, limits, principals, streams, values } = hostile;
const bounds = { maxEvents: limits, maxBytes: limits, maxAgeMs: limits, through: cursors };
const place = { after: cursors, streamId: streams };
const metadata = hostile.options({ a: values, b: values });

const methods: Readonly<Record<string, Method>> = {
  get: { takes: [keys], run: (_, { state }, key) => state.get(key) },
  getEntry: { takes: [keys], run: (_, { state }, key) => state.getEntry(key) },
  set: { takes: [keys, values], run: (_, { state }, key, value) => state.set(key, value) },
  compareAndSet: {
    takes: [keys, values, hostile.versions],
    run: (_, { state }, key, value, version) => state.compareAndSet(key, value, version),
  },
  update: { takes: [keys, hostile.changes], run: (_, { state }, key, change) => state.update(key, change) },
  remove: { takes: [keys], run: (_, { state }, key) => state.remove(key) },
  patch: { takes: [hostile.patches], run: (_, { state }, changes) => state.patch(changes) },
  keys: { takes: [], run: (_, { state }) => state.keys() },
  entries: { takes: [], run: (_, { state }) => state.entries() },
  snapshot: { takes: [], run: (_, { state }) => state.snapshot() },
  clear: { takes: [], run: (_, { state }) => state.clear() },
  append: {
    takes: [streams, values, hostile.options({ renew: hostile.flags })],
    run: async (world, { events }, stream, message, options) => {
      const id = await events.append(stream, message, options);
      world.cursors.push(id);
      return id;
    },
  },
  replay: { takes: [hostile.options(place)], run: (_, { events }, options) => collect(events.replay(options)) },
  tail: {
    takes: [hostile.options({ ...place, signal: hostile.signals })],
    run: async (_, { events }, options) => {
      const tail = events.tail(options);
      const [first] = await Promise.all([tail.next(), tail.return()]);
      return first;
    },
  },
  recent: { takes: [limits, streams], run: (_, { events }, limit, stream) => events.recent(limit, stream) },
  page: {
    takes: [hostile.options({ afterSeq: limits, streamId: streams, limit: limits })],
    run: (_, { events }, options) => events.page(options),
  },
  trim: { takes: [hostile.options(bounds)], run: (_, { events }, options) => events.trim(options) },
  streamOf: { takes: [cursors], run: (_, { events }, cursor) => events.streamOf(cursor) },
  touch: { takes: [], run: (_, session) => session.touch() },
  end: { takes: [hostile.ids], run: (_, session) => session.end() },
  updateMetadata: { takes: [metadata], run: (_, session, next) => session.updateMetadata(() => next) },
  updateTransport: {
    takes: [hostile.changes],
    run: (_, session, change) => transportOf(session).updateTransport(change),
  },
  create: {
    takes: [
      hostile.options({
        id: hostile.ids,
        kind: keys,
        principal: principals,
        metadata,
        protocol: metadata,
        ttlMs: limits,
        maxLifetimeMs: limits,
      }),
    ],
    // Each world generates its own ids.
    run: async ({ store }, _, options) => ({
      ...facts(await store.create(options)),
      id: (options as { id?: unknown }).id,
    }),
  },
  find: {
    takes: [hostile.ids, hostile.options({ kind: hostile.kinds, principal: principals })],
    run: async ({ store }, _, id, options) => facts(await store.get(id, options)),
  },
  list: {
    takes: [hostile.options({ principal: principals, limit: limits, cursor: hostile.ids })],
    run: async ({ store }, session, options) =>
      (await store.list(within(session.kind, options))).sessions.map((each) => facts(each)),
  },
  count: {
    takes: [hostile.options({ principal: principals })],
    run: ({ store }, session, options) => store.count(within(session.kind, options)),
  },
};

/** Calls that mostly read and write, and rarely end what other calls need. */
export const calls: fc.Arbitrary<readonly Call[]> = fc.array(
  fc.oneof(
    ...Object.entries(methods).map(([name, { takes }]) => ({
      weight: name === 'end' ? 1 : 6,
      arbitrary: fc.record({
        method: fc.constant(name),
        session: hostile.sessions,
        arguments: fc.tuple(...takes),
      }),
    })),
  ),
  { minLength: 1, maxLength: 40, size: 'max' },
);

/** The answer or the refusal of a call, in comparable form. Throws an error that is not ours. */
export async function answer(world: World, call: Call): Promise<unknown> {
  const session = world.sessions[call.session];
  const method = methods[call.method];
  if (session === undefined || method === undefined) throw new Error('No such session or method');
  try {
    return { value: await method.run(world, session, ...call.arguments.map(({ make }) => make(world) as Any)) };
  } catch (error) {
    if (error instanceof SessionError) return { refused: error.code };
    if (error instanceof TypeError || error instanceof RangeError || error instanceof Own) {
      return { refused: error.name };
    }
    throw error;
  }
}

function facts(session: Session | undefined): object | undefined {
  if (session === undefined) return undefined;
  const { id, kind, principal, metadata: known, protocol, createdAt, lastActiveAt, expiresAt, lastSeq } = session;
  return { id, kind, principal, metadata: known, protocol, createdAt, lastActiveAt, expiresAt, lastSeq };
}

/** Options that select the run's own sessions, because others use the storage too. */
function within(kind: string, options: unknown): Any {
  return (
    typeof options === 'object' && options !== null && !Array.isArray(options)
      ? { ...options, kind }
      : (options ?? { kind })
  ) as Any;
}

async function collect(events: AsyncIterable<SessionEvent>): Promise<SessionEvent[]> {
  const all: SessionEvent[] = [];
  for await (const event of events) all.push(event);
  return all;
}
