import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v2';
import { createNotesServer } from '@mcp-session-examples/quickstart/server';
import { openStore, type Place } from './store.ts';

const errors: string[] = [];
let handler: Promise<SessionHandler> | undefined;

async function createHandler(place: Place): Promise<SessionHandler> {
  return createSessionHandler({
    store: await openStore(place),
    createServer: ({ session }) => createNotesServer(session),
    onError: (error) => void errors.push(String(error)),
  });
}

/** What a Worker must not do: it keeps a handler between requests without a Durable Object. */
export default {
  async fetch(request: Request, { PLACE }: { readonly PLACE: Place }): Promise<Response> {
    if (new URL(request.url).pathname === '/errors') return Response.json(errors);
    try {
      handler ??= createHandler(PLACE);
      return await (await handler).fetch(request);
    } catch (error) {
      return new Response(String(error), { status: 500 });
    }
  },
};
