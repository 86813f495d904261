import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v2';
import { createNotesServer } from '@mcp-session-examples/quickstart/server';
import type { NotesStore } from './store.ts';

/**
 * The quickstart's handler, with a short lease, so that a killed call soon ends.
 *
 * @param options Default: clients come back soon, since another server is up.
 */
export function createHandler(
  store: NotesStore,
  options: { readonly restartRetryMs?: number } = { restartRetryMs: 500 },
): SessionHandler {
  return createSessionHandler({
    store,
    createServer: ({ session }) => createNotesServer(session),
    leaseMs: 1_000,
    ...options,
    onError: (error) => console.error(error),
  });
}
