import { SessionError } from '@mcp-session/core';
import type { Capabilities, SessionBackend } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { connect } from 'node:net';
import { bugs } from '../bugs/index.ts';
import { onFrames, sendFrame } from './frames.ts';
import { plant } from './plant.ts';

const METHODS = [
  'createSession',
  'readSession',
  'updateSession',
  'touchSession',
  'endSession',
  'listSessions',
  'countSessions',
  'countKinds',
  'sweep',
  'readState',
  'commitState',
  'clearState',
  'appendEvents',
  'readEvents',
  'trimEvents',
  'readHeads',
  'identifyProcess',
  'findEndedProcesses',
  'migrate',
  'ping',
] as const;

export type Method = (typeof METHODS)[number];
/** A call, as it travels to the process that serves. */
export interface Request {
  readonly id: number;
  readonly method: Method;
  readonly args: readonly unknown[];
}

/** What comes back. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** How a process opens the storage that another one serves, or this one. */
export interface ServedArgument {
  readonly port: number;
  readonly capabilities: Pick<Capabilities, 'shared' | 'durable'>;
  /** Number of the bug to plant in each handle. */
  readonly inHandles: number | undefined;
}

export function openServed({ port, capabilities, inHandles }: ServedArgument): SessionBackend {
  return plant(connectTo(port, capabilities), inHandles === undefined ? undefined : bugs[inHandles]?.bug);
}

function connectTo(port: number, facts: ServedArgument['capabilities']): SessionBackend {
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
  socket.on('close', () => {
    for (const { reject } of waiting.values()) reject(new SessionError('STORE_UNAVAILABLE', 'Served store hung up'));
  });

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
    ...facts,
    poll: { minMs: 5, maxMs: 50 },
  };
  const methods = Object.fromEntries(METHODS.map((method) => [method, (...args: unknown[]) => call(method, args)]));
  const close = async (): Promise<void> => {
    closed = true;
    socket.end();
  };
  return { ...methods, name: 'served', capabilities, close } as unknown as SessionBackend;
}
