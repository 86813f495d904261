import { randomBytes, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Context } from '../context.ts';
import { CliError, EXIT } from '../failure.ts';
import { openInBrowser } from './open-in-browser.ts';

interface StudioCommandOptions {
  readonly port: number;
  readonly readOnly?: boolean | undefined;
  readonly open?: boolean | undefined;
}

const HOST = '127.0.0.1';

/**
 * Serves the studio on this machine until it is stopped.
 *
 * Other users of the machine can connect too. So each start makes a token, which only the printed
 * address holds. It is in the fragment, which browsers send to no server.
 */
export async function studio(context: Context, options: StudioCommandOptions): Promise<void> {
  const { printer, surroundings, withStore } = context;
  const { createStudio } = await import('@mcp-session/studio');
  const { toNodeListener } = await import('@mcp-session/studio/node');
  await withStore(async (store) => {
    const token = randomBytes(24).toString('base64url');
    const made = createStudio({
      store,
      readOnly: options.readOnly === true,
      authorize: (request, action) => action === 'page' || hasToken(request, token),
    });
    const listener = toNodeListener(made);
    const server = createServer((request, response) => void listener(request, response));
    const url = `http://${HOST}:${await listen(server, options.port)}/#token=${token}`;
    try {
      if (printer.json) printer.document({ url });
      else {
        printer.line(`Studio: ${url}`);
        printer.line('Anyone with this address can see all sessions. Stop it with Ctrl+C.');
      }
      const forget = options.open === true ? openInBrowser(url) : undefined;
      await stopped(surroundings.signal);
      forget?.();
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
}

function hasToken({ headers }: Request, token: string): boolean {
  const given = Buffer.from(headers.get('authorization') ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** @returns The port. */
async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(
      `Port ${port} cannot be used (${code})`,
      'Give another --port, or 0 for a free one.',
      EXIT.failed,
    );
  }
  return (server.address() as AddressInfo).port;
}

async function stopped(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
}
