import { StudioError } from './answers.ts';
import { end, endAll } from './api/end.ts';
import { event, events } from './api/events.ts';
import { kinds } from './api/kinds.ts';
import { live } from './api/live.ts';
import type { Operation } from './api/operation.ts';
import { count, session, sessions } from './api/sessions.ts';
import { state, value } from './api/state.ts';

/** What the page needs to know first. */
const about: Operation = {
  action: 'read',
  run: ({ options: { store, readOnly } }) =>
    Promise.resolve({ backend: store.backendName, durable: store.capabilities.durable, readOnly, now: Date.now() }),
};

const OPERATIONS: ReadonlyMap<string, Operation> = new Map(
  Object.entries({ about, kinds, sessions, count, session, state, value, events, event, live, end, endAll }),
);

/** @throws StudioError 404 */
export function operationOf(name: string): Operation {
  const found = OPERATIONS.get(name);
  if (found === undefined) throw new StudioError(404, 'NOT_FOUND', 'There is no such operation');
  return found;
}
