import { SessionError } from '@mcp-session/core';
import { toNodeHandler } from '@mcp-session/http/node';
import { createSessionHandler } from '@mcp-session/http/v2';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { version } from './arguments.ts';
import { help, type Options, readOptions } from './command-line.ts';
import { createLog } from './log.ts';
import { createNotesServer } from './server.ts';
import { createSite } from './site.ts';
import { welcome } from './welcome.ts';

async function start({ host, port, quiet, openStore, whereSessionsAre }: Options): Promise<void> {
  const store = await openStore();
  const http = createServer();
  try {
    await listen(http, port, host);
  } catch (error) {
    await store.close();
    throw error;
  }
  const { port: listening } = http.address() as AddressInfo;
  const everywhere = host === '0.0.0.0' || host === '::';
  const hosts = [host.includes(':') ? `[${host}]:${listening}` : `${host}:${listening}`, `localhost:${listening}`];
  const url = `http://${everywhere ? `localhost:${listening}` : hosts[0]}/mcp`;

  const handler = createSessionHandler({
    store,
    createServer: ({ session }) => createNotesServer(session, quiet ? () => undefined : undefined),
    // Refuses web pages of other sites, even after DNS rebinding. A server that listens everywhere
    // does not know its names: the handler then compares `Origin` with `Host`.
    ...(!everywhere && { allowedHosts: hosts, allowedOrigins: hosts.map((name) => `http://${name}`) }),
    // After a process has died, its calls soon get an error.
    leaseMs: 3_000,
    logger: createLog(quiet),
  });
  const mcp = toNodeHandler(handler);
  const site = createSite({
    url,
    whereSessionsAre,
    askStore: () => store.inspect('readyz'),
    isStopping: () => !http.listening,
  });
  http.on('request', (request, response) => {
    if (request.url?.split('?', 1)[0] === '/mcp') void mcp(request, response);
    else site(request, response);
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

  console.log(welcome(url, whereSessionsAre));
}

async function listen(http: Server, port: number, host: string): Promise<void> {
  try {
    await once(http.listen(port, host), 'listening');
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const problems: Readonly<Record<string, string>> = {
      EADDRINUSE: `Port ${port} is in use: choose another one with --port`,
      EACCES: `Port ${port} needs more rights: choose one from 1024 with --port`,
      EADDRNOTAVAIL: `This machine has no address "${host}": choose another one with --host`,
      ENOTFOUND: `There is no host "${host}": choose another one with --host`,
    };
    throw problems[code] === undefined ? error : new Error(problems[code], { cause: error });
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
