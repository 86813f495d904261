import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createStudio, type StudioOptions } from '@mcp-session/studio';
import { toNodeListener } from '@mcp-session/studio/node';

/** A studio that listens on this machine. */
export interface Served {
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(options: StudioOptions): Promise<Served> {
  const server = createServer((request, response) => void toNodeListener(createStudio(options))(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
