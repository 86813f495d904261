import { createHandler } from './handler.ts';
import { openStore, type Place } from './store.ts';

/** Opens the store for each request, so that it never meets another one. */
export default {
  async fetch(request: Request, { PLACE }: { readonly PLACE: Place }): Promise<Response> {
    return createHandler(await openStore(PLACE)).fetch(request);
  },
};
