import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface ProxiedNodeOptions {
  readonly port: number;
  /** The file of the store. */
  readonly path: string;
  /** The host that clients call, which the proxy must pass on. */
  readonly host: string;
  /** For how long it says that it is not ready before it stops listening, in milliseconds. */
  readonly unreadyMs: number;
}

/** A process behind the proxy, at an address of its own. */
export class ProxiedNode {
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  readonly port: number;
  /** How many GETs it has got. */
  gets = 0;
  /** Called when a tool runs. */
  onRun: () => void = () => undefined;

  constructor({ port, path, host, unreadyMs }: ProxiedNodeOptions) {
    this.port = port;
    this.#args = [path, String(port), host, String(unreadyMs)];
  }

  async start(): Promise<void> {
    const program = fileURLToPath(new URL('proxied-node.ts', import.meta.url));
    const args = ['--conditions=@mcp-session/source', program, ...this.#args];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child = child;
    this.#ended = once(child, 'close');
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        if (line === 'listens') resolve();
        else if (line === 'GET') this.gets++;
        else if (line === 'runs') this.onRun();
      });
      void this.#ended.then(() => reject(new Error('The node ended')), reject);
    });
  }

  get isUp(): boolean {
    return this.#child?.exitCode === null && this.#child.signalCode === null;
  }

  /** Sends a signal, and resolves when the process is gone. */
  async end(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal);
    await this.#ended;
  }
}

/** Two nodes behind a proxy. */
export interface Proxied {
  readonly url: string;
  readonly nodes: readonly ProxiedNode[];
  /** Whether the proxy asks the nodes if they are ready. */
  readonly asksNodes: boolean;
}

/**
 * Starts the nodes that were ended, and waits until the proxy has seen them: Caddy looks each
 * second.
 */
export async function allUp({ nodes }: Pick<Proxied, 'nodes'>): Promise<void> {
  const down = nodes.filter(({ isUp }) => !isUp);
  await Promise.all(down.map((node) => node.start()));
  if (down.length > 0) await pause(2_000);
}

/** A port that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}
