import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** A server in a process of its own. */
export interface ServerProcess {
  readonly port: number;
  /** Ends it as a power cut would: nothing is cleaned up. */
  kill(): Promise<void>;
  /** Lets it stand still, and go on. */
  stop(): void;
  resume(): void;
}

/** Starts `child.ts`, and kills it when the test is over. */
export async function startProcess(
  args: readonly [line: string, path: string, port?: number, leaseMs?: number | 'default', listenAt?: number],
): Promise<ServerProcess> {
  const file = fileURLToPath(new URL('child.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, ['--conditions=@mcp-session/source', file, ...args.map(String)], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  const [port] = (await once(child, 'message')) as [number];
  return { port, kill, stop: () => child.kill('SIGSTOP'), resume: () => child.kill('SIGCONT') };
}
