import type { Sql } from 'postgres';
import { disarm, unknownDriver, wasSent, type RunningQuery } from './driver-internals.ts';
import type { Client, Lane } from './lanes.ts';

/** The outcome of one attempt at a statement. */
export type Outcome = { readonly rows: readonly unknown[] } | Failure;

/** A failed attempt. */
export interface Failure {
  /** An error of postgres.js, {@link NO_CONNECTION} or {@link NO_ANSWER}. */
  readonly error: unknown;
  /** True if the server may have received the statement. */
  readonly sent: boolean;
  readonly lane: Lane | undefined;
}

/** The failure of a statement that got no connection in time. */
export const NO_CONNECTION: unique symbol = Symbol('no connection');
/** The failure of a statement that the server did not answer in time. */
export const NO_ANSWER: unique symbol = Symbol('no answer');

/**
 * Waits for a connection, sends a statement and waits for its answer, at most `timeoutMs` for each.
 * A limit on the server alone does not help if the server or the network hangs. Waiting in the
 * queue is not the server's fault: only a connection that does not answer is cut.
 *
 * @param settle Called once. A callback, because a promise would add turns of the event loop to
 * each statement.
 */
export function attempt(
  client: Client,
  start: (sql: Sql) => RunningQuery,
  timeoutMs: number,
  settle: (outcome: Outcome) => void,
): void {
  let lane: Lane | undefined;
  let query: RunningQuery | undefined;
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
      end({ error: NO_CONNECTION, sent: false, lane });
    } else if (!wasSent(query)) {
      disarm(query);
      end({ error: NO_CONNECTION, sent: false, lane });
    } else if (lane.mayWait && !waitedLonger) {
      // The statement may have been sent a moment ago.
      waitedLonger = true;
      timer.refresh();
    } else {
      end({ error: NO_ANSWER, sent: true, lane });
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
        end(wasSent(running) ? { rows } : { error: unknownDriver(), sent: true, lane: taken });
      },
      (error: unknown) => {
        // Before the release, because the caller may decide how the connection is used from now on.
        end({ error, sent: wasSent(running), lane: taken });
        taken.release(false);
      },
    );
  });
}
