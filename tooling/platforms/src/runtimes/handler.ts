import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v2';
import { createNotesServer } from '@mcp-session-examples/quickstart/server';
import type { NotesStore } from './store.ts';

/** The quickstart's handler. With a short lease, so that a killed call soon ends. */
export function createHandler(store: NotesStore): SessionHandler {
  return createSessionHandler({
    store,
    createServer: ({ session }) => createNotesServer(session),
    leaseMs: 1_000,
    onError: (error) => console.error(error),
  });
}
