import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

/**
 * Ends a process and its children with SIGKILL, as the kernel does when memory runs out or a
 * container is killed.
 *
 * If only the main process of a PostgreSQL is killed, a backend that runs a statement survives. It
 * may even commit, and the server refuses to start again until it has ended.
 */
export async function killTree(pid: number): Promise<void> {
  // A stopped process starts no more children while they are counted.
  if (process.platform !== 'win32') process.kill(pid, 'SIGSTOP');
  const children = await childrenOf(pid);
  for (const each of [pid, ...children]) killOne(each);
}

async function childrenOf(pid: number): Promise<number[]> {
  if (process.platform === 'win32') return [];
  if (process.platform === 'linux') {
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return children.split(' ').filter(Boolean).map(Number);
  }
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'pid=,ppid=']);
  const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return rows.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function killOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
