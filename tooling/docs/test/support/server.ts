import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** A port of this machine that nothing listens on. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** An empty folder from which the packages are found, as a reader's would be. */
export function emptyFolder(): string {
  const parent = fileURLToPath(new URL('../../node_modules/', import.meta.url));
  const folder = mkdtempSync(join(parent, '.readme-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  // As `npm init -y` makes it: CommonJS, so that the names of the files must say what they are.
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }');
  return folder;
}

/** Starts a file as a reader would, but on our sources. It is killed after the test. */
export function start(file: string, cwd: string, env: Readonly<Record<string, string>> = {}): ChildProcess {
  const args = ['--conditions=@mcp-session/source', '--disable-warning=ExperimentalWarning', file];
  const child = spawn(process.execPath, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Waits until nothing listens on a port. */
export async function untilItIsGone(port: number): Promise<void> {
  for (;;) {
    const gone = await fetch(`http://127.0.0.1:${port}/mcp`).then(
      () => false,
      () => true,
    );
    if (gone) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until something answers on a port. */
export async function untilItListens(port: number): Promise<void> {
  for (;;) {
    try {
      await fetch(`http://127.0.0.1:${port}/mcp`);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
