import type { SessionBackend } from '@mcp-session/core/backend';
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Finding } from './findings.ts';
import { perform, type Command, type PeerMethod } from './commands.ts';
import type { SecondProcess } from './storage.ts';

/**
 * Another user of the storage: a process if the storage is shared, else a caller in this process.
 */
export interface Peer {
  /** Calls one method of its backend. */
  call<M extends PeerMethod>(
    method: M,
    ...args: Parameters<NonNullable<SessionBackend[M]>>
  ): Promise<Awaited<ReturnType<NonNullable<SessionBackend[M]>>>>;
  /** Runs a command. @param report Called with each number that the peer acknowledges. */
  run(command: Command, report?: (seq: number) => void): Promise<unknown>;
}

/** A peer that is a process. */
export interface ProcessPeer extends Peer {
  /** Kills the process with SIGKILL and waits until it is gone. Running commands reject. */
  kill(): Promise<void>;
  /** Suspends the process with SIGSTOP. */
  suspend(): void;
  resume(): void;
  /** Lets the process close its backend and exit. */
  stop(): Promise<void>;
}

/** Time for a process to close its backend before it is killed, in milliseconds. */
const STOP_MS = 10_000;

/** Messages to the child process. */
export type ToChild =
  | { readonly kind: 'open'; readonly module: string; readonly argument: unknown }
  | { readonly kind: 'command'; readonly id: number; readonly command: Command }
  | { readonly kind: 'stop' };

/** Messages from the child process. */
export type FromChild =
  | { readonly kind: 'ready' }
  | { readonly kind: 'report'; readonly id: number; readonly seq: number }
  | { readonly kind: 'done'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failed'; readonly id: number | undefined; readonly text: string };

/** A peer in this process. */
export function localPeer(backend: SessionBackend): Peer {
  return {
    call: async (method, ...args) => (await perform(backend, { do: 'call', method, args }, ignore)) as never,
    run: (command, report = ignore) => perform(backend, command, report),
  };
}

/** Starts a process and waits until it has opened the storage. */
export async function startPeer(second: SecondProcess): Promise<ProcessPeer> {
  const fromSource = import.meta.url.endsWith('.ts');
  const child = fork(fileURLToPath(new URL(fromSource ? './child.ts' : './child.js', import.meta.url)), {
    execArgv: [...(fromSource ? ['--conditions=@mcp-session/source'] : []), ...(second.execArgv ?? [])],
    // Copies values that JSON cannot: undefined and maps.
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const peer = new ChildPeer(child);
  try {
    child.send({ kind: 'open', module: moduleUrl(second.module), argument: second.argument } satisfies ToChild);
    await peer.ready;
    return peer;
  } catch (error) {
    await peer.kill();
    throw error;
  }
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly report: (seq: number) => void;
}

class ChildPeer implements ProcessPeer {
  readonly ready: Promise<unknown>;
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #stderr = '';

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#gone = new Promise((resolve) => child.once('exit', resolve));
    this.ready = new Promise((resolve, reject) => this.#waiting.set(0, { resolve, reject, report: ignore }));
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (this.#stderr = (this.#stderr + text).slice(-4_000)));
    child.on('message', (message) => this.#receive(message as FromChild));
    // A message went to a process that had just been killed, or Node could not start the process.
    child.on('error', (error) => this.#failAll(`The second process failed: ${error.message}`));
    child.on('exit', (code, signal) => {
      const how = signal === null ? `with code ${code}` : `by ${signal}`;
      this.#failAll(`The second process ended ${how}${this.#stderr === '' ? '' : `: ${this.#stderr.trim()}`}`);
    });
  }

  async call<M extends PeerMethod>(
    method: M,
    ...args: Parameters<NonNullable<SessionBackend[M]>>
  ): Promise<Awaited<ReturnType<NonNullable<SessionBackend[M]>>>> {
    return (await this.run({ do: 'call', method, args })) as Awaited<ReturnType<NonNullable<SessionBackend[M]>>>;
  }

  async run(command: Command, report: (seq: number) => void = ignore): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, report });
      if (this.#child.connected) this.#child.send({ kind: 'command', id, command } satisfies ToChild);
      else reject(new Finding('A second process was gone before it got its command'));
    });
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  suspend(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  async stop(): Promise<void> {
    if (this.#child.connected) this.#child.send({ kind: 'stop' } satisfies ToChild);
    const late = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS);
    await this.#gone;
    clearTimeout(late);
  }

  #receive(message: FromChild): void {
    const id = message.kind === 'ready' ? 0 : (message.id ?? 0);
    const waiting = this.#waiting.get(id);
    if (message.kind === 'report') {
      waiting?.report(message.seq);
      return;
    }
    this.#waiting.delete(id);
    if (message.kind === 'failed') waiting?.reject(new Finding(`A second process was refused: ${message.text}`));
    else waiting?.resolve(message.kind === 'done' ? message.value : undefined);
  }

  #failAll(text: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Finding(text));
    this.#waiting.clear();
  }
}

function moduleUrl(module: string | URL): string {
  if (module instanceof URL) return module.href;
  return /^[a-z][a-z+.-]+:/i.test(module) ? module : pathToFileURL(module).href;
}

function ignore(): void {}
