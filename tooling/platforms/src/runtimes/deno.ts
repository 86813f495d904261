import { createHandler } from './handler.ts';
import { openStore, type Place } from './store.ts';

declare const Deno: {
  serve(
    options: { readonly port: number; readonly hostname: string; readonly onListen: () => void },
    fetch: (request: Request) => Promise<Response>,
  ): { readonly addr: { readonly port: number } };
};

const [place = ''] = process.argv.slice(2);
const handler = createHandler(await openStore(JSON.parse(place) as Place));
const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: () => undefined }, handler.fetch);
console.log(`Deno listens on http://127.0.0.1:${server.addr.port}/mcp`);
