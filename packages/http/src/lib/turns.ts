import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long work may go on without a turn of the event loop, in milliseconds. */
const MAX_TURN_MS = 10;

let lastTurnAt = 0;

/**
 * Lets others have their turn when it is due.
 *
 * Promises that a database in this process settles at once need no turn of the event loop, so a handler that awaits them in a loop would keep every socket
 * waiting until it is done.
 */
export async function takeTurns(): Promise<void> {
  if (performance.now() - lastTurnAt < MAX_TURN_MS) return;
  await nextTurn();
  lastTurnAt = performance.now();
}
