import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DatabaseName, SourceName } from '../../src/index.ts';
import { protect } from '../../src/lib/guard.ts';

/** What was there while a process held databases, and what is left after its sudden end. */
export interface Remains {
  readonly before: { readonly folders: number; readonly answering: number };
  readonly after: { readonly folders: string[]; readonly answering: number };
}

/**
 * Opens databases in another process, ends it by `signal`, and looks at what is left once its guard
 * is through.
 */
export async function remainsAfter(
  signal: NodeJS.Signals,
  source: SourceName,
  databases: readonly DatabaseName[],
): Promise<Remains> {
  const TMPDIR = await mkdtemp(join(tmpdir(), 'mcp-session-guard-'));
  // Or a Ctrl-C during this test leaves it behind.
  const release = protect({ kind: 'folder', path: TMPDIR });
  // The embedded PostgreSQL may run as another user, who has to get to its folder.
  await chmod(TMPDIR, 0o755);
  const child = spawn(process.execPath, [fileURLToPath(new URL('hold.ts', import.meta.url)), ...databases], {
    env: { ...process.env, TMPDIR, MCP_SESSION_TEST_DATABASES: source },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // The guard holds the error output of the process that started it, so this is the end of both.
  const ended = once(child, 'close');
  try {
    const stderr = child.stderr.setEncoding('utf8').toArray();
    const line = await firstLine(child.stdout);
    if (line === undefined) throw new Error(`no databases to leave behind: ${(await stderr).join('')}`);
    const urls = (JSON.parse(line) as string[]).map((url) => new URL(url));
    const before = { folders: (await readdir(TMPDIR)).length, answering: await count(urls) };

    child.kill(signal);
    await ended;
    return { before, after: { folders: await readdir(TMPDIR), answering: await count(urls) } };
  } finally {
    child.kill('SIGKILL');
    await ended;
    await rm(TMPDIR, { recursive: true, force: true });
    release();
  }
}

async function firstLine(input: NodeJS.ReadableStream): Promise<string | undefined> {
  for await (const line of createInterface({ input })) return line;
  return undefined;
}

async function count(urls: readonly URL[]): Promise<number> {
  const answers = await Promise.all(urls.map(({ hostname, port }) => answersAt(hostname, Number(port))));
  return answers.filter(Boolean).length;
}

async function answersAt(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port });
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
