// The in-memory backend behind a socket: storage that outlives each process that opens it, so that
// the kit's own tests need no database.
import { createMemoryBackend } from '@mcp-session/core/memory';
import type { TestStorage } from '@mcp-session/conformance';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { onFrames, sendFrame } from './frames.ts';
import { memoryRows } from './memory-rows.ts';
import { plant, type Bug } from './plant.ts';
import { openServed, type Answer, type Request, type ServedArgument } from './served.ts';

type Call = (...args: unknown[]) => Promise<unknown>;

/** What to serve. */
export interface ServeOptions {
  /**
   * Default: shared and durable. What is not shared is served to one handle at a time, as a
   * database does that locks its file.
   */
  readonly capabilities?: ServedArgument['capabilities'];
  /** A bug in what all handles share. Default: none. */
  readonly inStorage?: Bug;
  /** Number of a bug in each handle of each process. Default: none. */
  readonly inHandles?: number;
}

/** Storage in this process, opened through sockets by this process and others. */
export async function serveMemory({
  capabilities = { shared: true, durable: true },
  inStorage,
  inHandles,
}: ServeOptions = {}): Promise<TestStorage> {
  const shared = plant(createMemoryBackend(), inStorage);
  const sockets = new Set<Socket>();
  const ended = new Set<string>();
  const serve = (socket: Socket): void => {
    sockets.add(socket);
    // A kernel closes the socket of a process that has ended.
    const process = `process-${crypto.randomUUID()}`;
    socket.on('close', () => {
      sockets.delete(socket);
      ended.add(process);
    });
    const processes: Partial<Record<Request['method'], Call>> = {
      identifyProcess: async () => process,
      findEndedProcesses: async (names) => new Set((names as string[]).filter((name) => ended.has(name))),
    };
    onFrames(socket, (value) => {
      const { id, method, args } = value as Request;
      const call = processes[method] ?? (shared[method] as Call);
      const reply = (answer: Answer): void => {
        if (!socket.destroyed) sendFrame(socket, answer);
      };
      call.apply(shared, [...args]).then(
        (value) => reply({ id, value }),
        (error: unknown) => reply({ id, error: String(error) }),
      );
    });
  };
  // The holder of the lock may just have been closed or killed. Ten short waits let this process
  // learn of that even if it stands still during one of them.
  const serveWhenFree = async (socket: Socket): Promise<void> => {
    for (let n = 0; n < 10 && sockets.size > 0; n++) await wait(10);
    if (sockets.size === 0) serve(socket);
    else socket.destroy();
  };
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (capabilities.shared || sockets.size === 0) serve(socket);
    else void serveWhenFree(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const argument: ServedArgument = { port, capabilities, inHandles };
  return {
    backend: openServed(argument),
    reopen: () => openServed(argument),
    rows: () => memoryRows(shared),
    secondProcess: { module: new URL('served-process.ts', import.meta.url), argument },
    dispose: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
