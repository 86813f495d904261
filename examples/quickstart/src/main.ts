import { SessionError } from '@mcp-session/core';
import { toNodeHandler } from '@mcp-session/http/node';
import { createSessionHandler } from '@mcp-session/http/v2';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { version } from './arguments.ts';
import { help, type Options, readOptions, welcome } from './command-line.ts';
import { createNotesServer, tell } from './server.ts';

async function start({ port, openStore, whereSessionsAre }: Options): Promise<void> {
  const store = await openStore();
  const http = createServer();
  try {
    await listen(http, port);
  } catch (error) {
    await store.close();
    throw error;
  }
  const { port: listening } = http.address() as AddressInfo;
  const hosts = [`127.0.0.1:${listening}`, `localhost:${listening}`];

  const handler = createSessionHandler({
    store,
    createServer: ({ session, restored }) => {
      tell(session, restored ? 'continues: this process did not have it and restored it from the store' : 'begins');
      return createNotesServer(session);
    },
    // Refuses web pages of other sites, even after DNS rebinding.
    allowedHosts: hosts,
    allowedOrigins: hosts.map((host) => `http://${host}`),
    // After a process has died, its calls soon get an error.
    leaseMs: 3_000,
    onError: (error) => console.error(error),
    // The lines of the sessions say what happens.
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  });
  const mcp = toNodeHandler(handler);
  http.on('request', (request, response) => {
    if (request.url?.split('?', 1)[0] === '/mcp') void mcp(request, response);
    else response.writeHead(404).end();
  });

  // Nothing needs saving here: everything was stored when it happened.
  const stop = async (): Promise<void> => {
    http.close();
    await handler.close();
    http.closeAllConnections();
    await store.close();
  };
  process.once('SIGINT', () => void stop());
  process.once('SIGTERM', () => void stop());

  console.log(welcome(`http://127.0.0.1:${listening}/mcp`, whereSessionsAre));
}

function ignore(): void {
  // Nothing is logged.
}

/** Listens on this machine only, because the server has no authentication. */
async function listen(http: Server, port: number): Promise<void> {
  try {
    await once(http.listen(port, '127.0.0.1'), 'listening');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`Port ${port} is in use: choose another one with --port`, { cause: error });
  }
}

function fail(error: unknown, exitCode: number): void {
  console.error(error instanceof Error ? error.message : error);
  // Not part of the message, which a client might see.
  if (error instanceof SessionError && error.store !== undefined) console.error(error.store);
  process.exitCode = exitCode;
}

let options: Options | undefined;
try {
  options = readOptions(process.argv.slice(2));
} catch (error) {
  fail(error, 2);
}
if (options?.help === true) console.log(help);
else if (options?.version === true) console.log(version());
else if (options !== undefined) await start(options).catch((error: unknown) => fail(error, 1));
