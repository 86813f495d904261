// The in-memory backend behind a socket: storage that several processes share and that outlives each of them, so that the kit's own tests need no database.
import { SessionError, type Capabilities, type SessionBackend } from '@mcp-session/core';
import { createMemoryBackend } from '@mcp-session/core/memory';
import type { TestStorage } from '@mcp-session/conformance';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { bugs } from '../bugs/index.ts';
import { onFrames, sendFrame } from './frames.ts';
import { plant, type Bug } from './plant.ts';

export const METHODS = [
  'createSession',
  'readSession',
  'updateSession',
  'touchSession',
  'endSession',
  'listSessions',
  'countSessions',
  'sweep',
  'readState',
  'commitState',
  'clearState',
  'appendEvents',
  'readEvents',
  'trimEvents',
  'readHeads',
  'migrate',
  'ping',
] as const;

type Method = (typeof METHODS)[number];
type Call = (...args: unknown[]) => Promise<unknown>;

interface Request {
  readonly id: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** Bugs to plant: in what all share, or by its number in each handle of each process. */
export interface Planted {
  readonly inStorage?: Bug;
  readonly inHandles?: number;
}

/** Storage in this process, opened through sockets by this process and others. */
export async function serveMemory({ inStorage, inHandles }: Planted = {}): Promise<TestStorage> {
  const shared = plant(createMemoryBackend(), inStorage);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    onFrames(socket, (value) => {
      const { id, method, args } = value as Request;
      const call = shared[method] as Call;
      const reply = (answer: Answer): void => {
        if (!socket.destroyed) sendFrame(socket, answer);
      };
      call.apply(shared, [...args]).then(
        (value) => reply({ id, value }),
        (error: unknown) => reply({ id, error: String(error) }),
      );
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const argument = { port, inHandles };
  return {
    backend: openServed(argument),
    reopen: () => openServed(argument),
    secondProcess: { module: new URL('served-process.ts', import.meta.url), argument },
    dispose: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Opens the storage that another process serves, or this one. */
export function openServed({
  port,
  inHandles,
}: {
  readonly port: number;
  readonly inHandles?: number | undefined;
}): SessionBackend {
  return plant(connectTo(port), inHandles === undefined ? undefined : bugs[inHandles]?.bug);
}

function connectTo(port: number): SessionBackend {
  const socket = connect(port, '127.0.0.1');
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let closed = false;
  let lastId = 0;

  onFrames(socket, (value) => {
    const { id, error, value: result } = value as Answer;
    const { resolve, reject } = waiting.get(id) ?? {};
    waiting.delete(id);
    if (error === undefined) resolve?.(result);
    else reject?.(new SessionError('STORE_FAILED', error));
  });
  socket.on('error', () => socket.destroy());

  const call = async (method: Method, args: readonly unknown[]): Promise<unknown> => {
    if (closed) throw new SessionError('STORE_CLOSED', 'Served store is closed');
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      sendFrame(socket, { id, method, args } satisfies Request);
    });
  };

  const capabilities: Capabilities = {
    ...createMemoryBackend().capabilities,
    shared: true,
    durable: true,
    poll: { minMs: 5, maxMs: 50 },
  };
  const methods = Object.fromEntries(METHODS.map((method) => [method, (...args: unknown[]) => call(method, args)]));
  const close = async (): Promise<void> => {
    closed = true;
    socket.end();
  };
  return { ...methods, name: 'served', capabilities, close } as unknown as SessionBackend;
}
