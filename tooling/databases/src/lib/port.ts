import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';

/**
 * A TCP port that is free now. Another process may take it before it is used, so be prepared to ask
 * again.
 */
export async function freePort(): Promise<number> {
  const server = createServer();
  // On all addresses, not only loopback, because DynamoDB Local and Docker listen on all.
  server.listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Runs `start` with a free port, and again with another one if that port was taken. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      const taken = error instanceof Error && /already in use|already allocated/i.test(error.message);
      if (!taken || attempt === 3) throw error;
    }
  }
}
