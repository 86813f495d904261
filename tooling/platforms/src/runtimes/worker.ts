import type { SessionHandler } from '@mcp-session/http/v2';
import { createHandler } from './handler.ts';
import { openStore, type Place } from './store.ts';

/** What the Worker is bound to: its Durable Objects, and the place of the sessions. */
interface Environment {
  readonly SESSIONS: {
    idFromName(name: string): unknown;
    get(id: unknown): { fetch(request: Request): Promise<Response> };
  };
  readonly PLACE: Place;
}

/** The requests of a Durable Object share timers and connections, so it can hold a handler. */
export class Sessions {
  readonly #place: Place;
  #handler: Promise<SessionHandler> | undefined;

  constructor(_context: unknown, { PLACE }: Environment) {
    this.#place = PLACE;
  }

  async fetch(request: Request): Promise<Response> {
    this.#handler ??= openStore(this.#place).then((store) => createHandler(store));
    return (await this.#handler).fetch(request);
  }
}

export default {
  fetch(request: Request, { SESSIONS }: Environment): Promise<Response> {
    return SESSIONS.get(SESSIONS.idFromName('node-1')).fetch(request);
  },
};
