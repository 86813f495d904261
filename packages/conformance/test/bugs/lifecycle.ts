import { SessionError } from '@mcp-session/core';
import type { SessionBackend } from '@mcp-session/core/backend';
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { answersOf } from '../../src/lib/actions.ts';
import { inHandles, inMemory, inStorage, type PlantedBug } from './bug.ts';

/** What handles of one process have in common. */
const closedPools = new Set<string>();
const FREE = { maxKeys: Number.MAX_SAFE_INTEGER, maxBytes: Number.MAX_SAFE_INTEGER };

export const lifecycleBugs: readonly PlantedBug[] = [
  inMemory(
    'capabilities.facts',
    'accepts no more than an item of its database holds',
    'maxEventBytes is 400000',
    (right) => ({
      capabilities: { ...right.capabilities, maxEventBytes: 400_000 },
    }),
  ),

  inMemory('capabilities.shared', 'claims to be shared and is not', 'another handle', (right) => ({
    capabilities: { ...right.capabilities, shared: true },
  })),

  inHandles('capabilities.shared', 'claims not to be shared and is', 'though the storage is not shared', (right) => ({
    capabilities: { ...right.capabilities, shared: false },
  })),

  inHandles(
    'capabilities.shared',
    'reads state from a cache of its own',
    'value that another handle reads just after it was written',
    (right) => {
      const cache = new Map<string, Awaited<ReturnType<SessionBackend['readState']>>>();
      return {
        readState: async (id, keys, now) => {
          const key = JSON.stringify([id, keys]);
          const rows = cache.get(key) ?? (await right.readState(id, keys, now));
          cache.set(key, rows);
          return rows;
        },
      };
    },
  ),

  inMemory('capabilities.durable', 'claims to be durable and is not', 'readEvents of a live session', (right) => ({
    capabilities: { ...right.capabilities, durable: true },
  })),

  inMemory('capabilities.process', 'can be shared, but the test says not how', 'add { module, argument }', (right) => ({
    capabilities: { ...right.capabilities, shared: true },
  })),

  inMemory(
    'lifecycle.migrate.repeat',
    'makes its tables anew with each migration',
    'readEvents of a live session',
    (right) => ({
      migrate: async () => {
        await right.sweep(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
      },
    }),
  ),

  inStorage(
    'lifecycle.migrate.concurrent',
    'cannot be migrated by two at once',
    'a call failed that should succeed',
    (right) => {
      let running = false;
      return {
        migrate: async () => {
          if (running) throw new SessionError('STORE_FAILED', 'Table exists already');
          running = true;
          await wait(20);
          running = false;
          await right.migrate();
        },
      };
    },
  ),

  inMemory('lifecycle.ping', 'has no ping', 'a call failed that should succeed', () => ({
    ping: () => Promise.reject(new Error('Not implemented')),
  })),

  inMemory('lifecycle.close.repeat', 'fails when it is closed again', 'a call failed that should succeed', (right) => {
    let closed = false;
    return {
      close: async () => {
        if (closed) throw new Error('Pool was ended already');
        closed = true;
        await right.close();
      },
    };
  }),

  inMemory('lifecycle.close.calls', 'goes on after close', 'readSession after close', () => ({
    close: async () => undefined,
  })),

  inMemory(
    'lifecycle.close.calls',
    'swallows the error of a closed database',
    'got:      resolved with undefined',
    (right) => ({
      readSession: (id, now) => right.readSession(id, now).catch(() => undefined),
    }),
  ),

  inMemory(
    'lifecycle.close.calls',
    'passes on the error of its driver as it is',
    'got:      rejected with Error: Connection ended',
    (right) => ({
      readState: (id, keys, now) =>
        right.readState(id, keys, now).catch(() => {
          throw new Error('Connection ended');
        }),
    }),
  ),

  inMemory('lifecycle.close.calls', 'throws where it was to reject', 'got:      thrown at once', (right) => {
    let closed = false;
    return {
      close: async () => {
        closed = true;
        await right.close();
      },
      endSession: (id, purgeAt, now) => {
        if (closed) throw new SessionError('STORE_CLOSED', 'Store is closed');
        return right.endSession(id, purgeAt, now);
      },
    };
  }),

  inHandles(
    'lifecycle.crash',
    'takes a number first and writes the event then',
    'in the log after a writer was killed',
    (right) => ({
      appendEvents: async (batch, now) => {
        const results = answersOf(await right.appendEvents(batch, now));
        await wait(50);
        for (const [index, result] of results.entries()) {
          const { sessionId = '', events = [] } = batch[index] ?? {};
          const writes = events.map((_, n) => ({
            key: String((result?.firstSeq ?? 0) + n),
            value: '1',
            bytes: 1,
            expectedVersion: undefined,
          }));
          await right.commitState({ sessionId, writes, limits: FREE, expiresAt: undefined }, now);
        }
        return results;
      },
      readEvents: async (query, now) => {
        const page = await right.readEvents(query, now);
        const written = new Set((await right.readState(query.sessionId, undefined, now))?.map(({ key }) => key));
        return page && { ...page, events: page.events.filter(({ seq }) => written.has(String(seq))) };
      },
    }),
  ),

  inHandles(
    'lifecycle.crash',
    'writes the events of a request one by one',
    'events of a request that is there only in part',
    (right) => ({
      appendEvents: async (batch, now) => {
        const [request] = batch;
        if (batch.length !== 1 || request === undefined || request.events.length < 2) {
          return right.appendEvents(batch, now);
        }
        let first: Awaited<ReturnType<SessionBackend['appendEvents']>> | undefined;
        for (const each of request.events) {
          const result = await right.appendEvents([{ ...request, token: randomUUID(), events: [each] }], now);
          first ??= result;
          await wait(50);
        }
        return first ?? [];
      },
    }),
  ),

  inMemory(
    'lifecycle.close.others',
    'closes a pool that other handles use too',
    'a call failed that should succeed',
    (right) => ({
      close: async () => {
        closedPools.add(right.name);
        await right.close();
      },
      createSession: async (session, now) => {
        if (closedPools.has(right.name)) throw new SessionError('STORE_CLOSED', 'Pool was closed');
        return right.createSession(session, now);
      },
    }),
  ),

  inMemory('hints.marker', 'has a change marker that never changes', 'the change marker is 1 before and after', () => ({
    readChangeMarker: () => 1,
  })),

  inMemory(
    'hints.watch',
    'goes on with its hints after they were stopped',
    'hints after they were stopped',
    (right) => {
      const listeners = new Set<(sessionId: string) => void>();
      return {
        watch: async (onHint) => {
          listeners.add(onHint);
          return async () => undefined;
        },
        appendEvents: async (batch, now) => {
          const results = answersOf(await right.appendEvents(batch, now));
          for (const { sessionId } of batch) for (const listener of listeners) listener(sessionId);
          return results;
        },
      };
    },
  ),

  inMemory(
    'generated.sequence',
    'forgets the horizon of a stream when it is written to again',
    'MCP_SESSION_CONFORMANCE_SEED=',
    (right) => ({
      readEvents: async (query, now) => {
        const page = await right.readEvents(query, now);
        const written = page?.events.some((row) => row.seq > page.trimmedSeq + 3) === true;
        return page && query.streamId !== undefined && written ? { ...page, trimmedSeq: 0 } : page;
      },
    }),
  ),
  inMemory(
    'generated.misuse',
    'cannot look up a key that is not ASCII',
    'is not answered as by the model',
    (right) => ({
      readState: async (sessionId, keys, now) => {
        if (keys?.includes('\u00e9') === true) throw new Error('invalid byte sequence');
        return right.readState(sessionId, keys, now);
      },
    }),
  ),
];
