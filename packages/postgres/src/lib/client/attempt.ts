import type { Sql } from 'postgres';
import type { Client, Lane } from '../client.ts';

/** A query of postgres.js that runs. */
export type Running = Promise<readonly unknown[]>;

/** What became of an attempt at a statement. */
export type Outcome = { readonly rows: readonly unknown[] } | Failure;

export interface Failure {
  /** Of postgres.js; `busy`: no connection was free in time; `silent`: the server did not answer in time. */
  readonly error: unknown;
  /** Whether the server may have had the statement. */
  readonly sent: boolean;
  readonly lane: Lane | undefined;
}

/** Stand for the errors that no driver has thrown. */
export const busy: unique symbol = Symbol('busy');
export const silent: unique symbol = Symbol('silent');

/**
 * Waits for a connection, sends a statement and waits for its answer, each for so long at the most. A time limit on the server alone is of no use when the server, or
 * the network to it, is what hangs. What waits for its turn is not held against a server: only its own connection is, and it is cut where the answer does not come.
 *
 * @param settle Is called once. It is no promise: the wait for a server is short, and what is done before and after it counts.
 */
export function attempt(
  client: Client,
  start: (sql: Sql) => Running,
  timeoutMs: number,
  settle: (outcome: Outcome) => void,
): void {
  let lane: Lane | undefined;
  let query: Running | undefined;
  let waitedLonger = false;
  let isOver = false;

  const end = (outcome: Outcome): void => {
    if (isOver) return;
    isOver = true;
    clearTimeout(timer);
    settle(outcome);
  };
  const expire = (): void => {
    if (lane === undefined || query === undefined) {
      withdraw();
      end({ error: busy, sent: false, lane });
    } else if (!wasSent(query)) {
      disarm(query);
      end({ error: busy, sent: false, lane });
    } else if (lane.mayWait && !waitedLonger) {
      // It may have been sent a moment ago.
      waitedLonger = true;
      timer.refresh();
    } else {
      end({ error: silent, sent: true, lane });
      lane.drop();
    }
  };
  const timer = setTimeout(expire, timeoutMs).unref();
  const withdraw = client.take((taken) => {
    timer.refresh();
    lane = taken;
    const running = (query = start(taken.sql));
    running.then(
      (rows) => {
        taken.release(true);
        end({ rows });
      },
      (error: unknown) => {
        const failure = { error, sent: wasSent(running), lane: taken };
        // It may decide how the connection is used from now on.
        end(failure);
        taken.release(false);
      },
    );
  });
}

/** Whether a query has left the queue of the pool. postgres.js notes then to which backend it was sent (3.4.9, connection.js, execute). */
function wasSent(query: Running): boolean {
  return (query as { readonly state?: unknown }).state !== null;
}

/**
 * Makes a query harmless that was not sent yet. It is not cancelled: if a new connection is being opened for it, postgres.js would never
 * use that connection for anything (3.4.9, connection.js, ReadyForQuery).
 */
function disarm(query: Running): void {
  void Object.assign(query, { strings: ['select 1'], args: [] });
}
