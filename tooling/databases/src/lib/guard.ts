import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Something that must not outlive this process. */
export type Resource =
  | { readonly kind: 'process'; readonly pid: number; readonly signal: NodeJS.Signals }
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'containers'; readonly label: string };

/** What the guard reads, one line of JSON each. */
export type GuardMessage = { readonly add: number; readonly resource: Resource } | { readonly remove: number };

interface Guard {
  readonly child: ChildProcess;
  readonly held: Set<number>;
}

let guard: Guard | undefined;
let lastId = 0;

/**
 * Has `resource` cleaned up when this process ends, however it ends.
 *
 * Handlers of this process cannot promise that: nothing runs in it after SIGKILL or a crash of the
 * runtime. So a second process holds the list, and cleans up when the pipe to this one closes. It
 * ends with the last resource.
 *
 * @returns A function to call when the resource was removed, or no longer needs the guard.
 */
export function protect(resource: Resource): () => void {
  const current = (guard ??= startGuard());
  const id = ++lastId;
  current.held.add(id);
  send(current, { add: id, resource });

  return () => {
    if (!current.held.delete(id)) return;
    send(current, { remove: id });
    if (current.held.size > 0) return;
    current.child.stdin?.end();
    if (guard === current) guard = undefined;
  };
}

function startGuard(): Guard {
  // Detached. Otherwise Ctrl-C in the terminal ends the guard together with the tests.
  const child = spawn(process.execPath, [fileURLToPath(new URL('guard-process.ts', import.meta.url))], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  child.unref();
  // If the guard is killed, the tests continue: they only lose their safety net.
  child.stdin.on('error', () => undefined);
  return { child, held: new Set() };
}

function send({ child }: Guard, message: GuardMessage): void {
  child.stdin?.write(`${JSON.stringify(message)}\n`);
}
