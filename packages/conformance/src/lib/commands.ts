import type { SessionState, StateSchemas } from '@mcp-session/core';
import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { defineHandle } from '@mcp-session/core/handles';
import { appendAll, event, range, request } from './actions.ts';

/** Methods of a backend that a peer can call. */
export type PeerMethod =
  | 'createSession'
  | 'readSession'
  | 'updateSession'
  | 'touchSession'
  | 'endSession'
  | 'listSessions'
  | 'countSessions'
  | 'countKinds'
  | 'sweep'
  | 'readState'
  | 'commitState'
  | 'clearState'
  | 'appendEvents'
  | 'readEvents'
  | 'trimEvents'
  | 'readHeads'
  | 'identifyProcess'
  | 'findEndedProcesses'
  | 'migrate'
  | 'ping';

/** Events per request of `append-on`. More than one, so that a partial request shows. */
export const PARTS = 3;

/** A command to a peer, in a form that travels between processes. */
export type Command =
  | { readonly do: 'call'; readonly method: PeerMethod; readonly args: readonly unknown[] }
  | {
      readonly do: 'append';
      readonly sessionId: string;
      readonly writer: string;
      readonly count: number;
      readonly now: number;
    }
  | { readonly do: 'append-on'; readonly sessionId: string; readonly writer: string; readonly now: number }
  | {
      readonly do: 'increment';
      readonly sessionId: string;
      readonly key: string;
      readonly count: number;
      readonly now: number;
    }
  | {
      readonly do: 'default-handle';
      readonly sessionId: string;
      readonly name: string;
      readonly now: number;
    }
  | {
      readonly do: 'increment-user';
      readonly principal: string;
      readonly key: string;
      readonly count: number;
      readonly now: number;
    };

/**
 * Runs a command on a backend. @param report Called with each acknowledged number of `append-on`.
 */
export async function perform(
  backend: SessionBackend,
  command: Command,
  report: (seq: number) => void,
): Promise<unknown> {
  switch (command.do) {
    case 'call': {
      const method = backend[command.method] as (...args: readonly unknown[]) => Promise<unknown>;
      return method.apply(backend, [...command.args]);
    }
    case 'append': {
      const seqs: (number | undefined)[] = [];
      for (let n = 0; n < command.count; n += 1) seqs.push(await appendSome(backend, command, n, 1));
      return seqs;
    }
    case 'append-on': {
      for (let n = 0; ; n += PARTS) {
        const seq = await appendSome(backend, command, n, PARTS);
        if (seq === undefined) return undefined;
        report(seq);
      }
    }
    case 'increment':
      return increment(backend, command);
    case 'default-handle':
      return openDefaultHandle(backend, command);
    case 'increment-user': {
      const store = await createSessionStore(backend, { sweep: false, clock: () => command.now });
      return incrementAll(store.forPrincipal(command.principal), command);
    }
  }
}

/** The message that writer `writer` appends as its `n`th. */
export function writerMessage(writer: string, n: number): string {
  return JSON.stringify({ writer, n });
}

async function appendSome(
  backend: SessionBackend,
  command: { readonly sessionId: string; readonly writer: string; readonly now: number },
  n: number,
  count: number,
): Promise<number | undefined> {
  const events = range(n, n + count - 1).map((index) => event(command.writer, writerMessage(command.writer, index)));
  return (await appendAll(backend, [request(command.sessionId, events)], command.now))[0]?.firstSeq;
}

async function increment(backend: SessionBackend, command: Extract<Command, { do: 'increment' }>): Promise<void> {
  // The store is not closed, because that would close the backend.
  const store = await createSessionStore(backend, { sweep: false, clock: () => command.now });
  const session = await store.get(command.sessionId);
  if (session === undefined) throw new Error('The session to increment in is not live');
  await incrementAll(session, command);
}

/** Opens the default handle of a session with a store of its own. @returns The id. */
export async function openDefaultHandle(
  backend: SessionBackend,
  command: { readonly sessionId: string; readonly name: string; readonly now: number },
): Promise<string> {
  const store = await createSessionStore(backend, { sweep: false, clock: () => command.now });
  const session = await store.get(command.sessionId);
  if (session === undefined) throw new Error('The session that should have a handle is not live');
  return (await defineHandle(store, { name: command.name, maxLifetimeMs: 60_000 }).of(session)).id;
}

/** Increments a number of a state, as often as asked, all at once. */
async function incrementAll(
  { state }: { readonly state: SessionState<StateSchemas> },
  { key, count }: { readonly key: string; readonly count: number },
): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      await state.update(key, (value: unknown) => (typeof value === 'number' ? value : 0) + 1);
    }),
  );
}
