import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { toNodeHandler } from '../../src/node.ts';
import type { SessionHandler } from '../../src/v1.ts';
import type { TestAuth } from './line.ts';

/** A handler behind a real socket. */
export interface Served {
  readonly url: URL;
  readonly server: Server;
  /** Breaks every connection, as a network that fails does. */
  cut(): void;
  /** Puts another handler in the place of the first, as a restart does. */
  replace(handler: SessionHandler<TestAuth>): void;
  close(): Promise<void>;
}

/**
 * Serves a handler. The token of the header `Authorization: Bearer issuer|subject|client|scopes` is
 * taken as verified.
 */
export async function serve(first: SessionHandler<TestAuth>): Promise<Served> {
  const sockets = new Set<Socket>();
  let listener = toNodeHandler(first);
  const server = createServer(
    (request, response) => void listener(Object.assign(request, { auth: authOf(request) }), response),
  );
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    server,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    replace: (handler) => (listener = toNodeHandler(handler)),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function authOf({ headers: { authorization } }: IncomingMessage): TestAuth | undefined {
  if (authorization === undefined) return undefined;
  const [iss, sub, clientId = 'app', scope = ''] = authorization.slice('Bearer '.length).split('|');
  return {
    token: authorization,
    clientId,
    scopes: scope.split(' ').filter(Boolean),
    extra: { ...(iss && { iss }), ...(sub && { sub }) },
  };
}
