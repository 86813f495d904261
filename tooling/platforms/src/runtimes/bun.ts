import { createHandler } from './handler.ts';
import { openStore, type Place } from './store.ts';

declare const Bun: {
  serve(options: {
    readonly port: number;
    readonly hostname: string;
    readonly idleTimeout: number;
    readonly fetch: (request: Request) => Promise<Response>;
  }): { readonly port: number };
};

const [place = ''] = process.argv.slice(2);
const handler = createHandler(await openStore(JSON.parse(place) as Place));
const { port: listening } = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  // In seconds. The default, 10, closes streams before the handler's first keep-alive comment.
  idleTimeout: 30,
  fetch: handler.fetch,
});
console.log(`Bun listens on http://127.0.0.1:${listening}/mcp`);
