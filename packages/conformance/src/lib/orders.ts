import { createSessionStore, type SessionBackend } from '@mcp-session/core/backend';
import { appendAll, event, range, request } from './actions.ts';

/** Methods of a backend that a peer can be told to call. */
export type PeerMethod =
  | 'createSession'
  | 'readSession'
  | 'updateSession'
  | 'touchSession'
  | 'endSession'
  | 'listSessions'
  | 'countSessions'
  | 'sweep'
  | 'readState'
  | 'commitState'
  | 'clearState'
  | 'appendEvents'
  | 'readEvents'
  | 'trimEvents'
  | 'readHeads'
  | 'migrate'
  | 'ping';

/** Events of each request of `append-on`, so that a request which is there in part shows. */
export const PARTS = 3;

/** What a peer is told to do, as it travels between processes. */
export type Order =
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
    };

/** Does what it is told on a backend, in whichever process that is. `report` is called with each acknowledged number of `append-on`. */
export async function perform(backend: SessionBackend, order: Order, report: (seq: number) => void): Promise<unknown> {
  switch (order.do) {
    case 'call': {
      const method = backend[order.method] as (...args: readonly unknown[]) => Promise<unknown>;
      return method.apply(backend, [...order.args]);
    }
    case 'append': {
      const seqs: (number | undefined)[] = [];
      for (let n = 0; n < order.count; n += 1) seqs.push(await appendSome(backend, order, n, 1));
      return seqs;
    }
    case 'append-on': {
      for (let n = 0; ; n += PARTS) {
        const seq = await appendSome(backend, order, n, PARTS);
        if (seq === undefined) return undefined;
        report(seq);
      }
    }
    case 'increment':
      return increment(backend, order);
  }
}

/** The message that writer `writer` appends as its `n`th. */
export function writerMessage(writer: string, n: number): string {
  return JSON.stringify({ writer, n });
}

async function appendSome(
  backend: SessionBackend,
  order: { readonly sessionId: string; readonly writer: string; readonly now: number },
  n: number,
  count: number,
): Promise<number | undefined> {
  const events = range(n, n + count - 1).map((index) => event(order.writer, writerMessage(order.writer, index)));
  return (await appendAll(backend, [request(order.sessionId, events)], order.now))[0]?.firstSeq;
}

async function increment(backend: SessionBackend, order: Extract<Order, { do: 'increment' }>): Promise<void> {
  // Not closed: closing a store closes its backend, which goes on to be used.
  const store = await createSessionStore(backend, { sweep: false, clock: () => order.now });
  const session = await store.get(order.sessionId);
  if (session === undefined) throw new Error('The session to increment in is not live');
  await Promise.all(
    Array.from({ length: order.count }, async () => {
      await session.state.update(order.key, (value: unknown) => (typeof value === 'number' ? value : 0) + 1);
    }),
  );
}
