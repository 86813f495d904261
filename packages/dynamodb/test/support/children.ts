import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

/**
 * Runs one of the modules beside this file in a process of its own, and gives what it writes. Fails
 * unless it exits with 0.
 */
export async function run(module: string, ...args: readonly unknown[]): Promise<string> {
  const file = fileURLToPath(new URL(module, import.meta.url));
  const options = ['--conditions=@mcp-session/source', file, ...args.map((arg) => JSON.stringify(arg))];
  const child = spawn(process.execPath, options, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code !== 0) throw new Error(`${module} ended with ${String(code)}: ${errors}`);
  return output;
}
