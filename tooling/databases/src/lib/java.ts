import { execFile } from 'node:child_process';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** njre 3.0.0 has no types. These describe the parts that are used here (lib/install.js). */
interface Njre {
  readonly install: (version: number, options: { installPath: string }) => Promise<string>;
}

/** The oldest Java that DynamoDB Local runs on. */
const oldest = 17;

/** The version to fetch: one with long-term support. */
const fetched = 21;

const executable = process.platform === 'win32' ? 'java.exe' : 'java';

/** What the search depends on. Default: that of the machine. */
export interface JavaSearch {
  readonly env?: Readonly<Record<string, string | undefined>>;

  /** Where a fetched runtime is kept. */
  readonly cacheFolder?: string;

  /** Fetches a runtime into a new folder `jre` beside `installPath`. */
  readonly fetchRuntime?: (version: number, options: { installPath: string }) => Promise<unknown>;
}

/**
 * Finds a Java runtime: in `JAVA_HOME`, on the `PATH`, or downloaded earlier. Otherwise downloads
 * one, once, from the Adoptium project with njre. No npm package contains one.
 *
 * @returns The command to run.
 * @throws Error that lists what was tried, and how to install one.
 */
export async function findJava(search: JavaSearch = {}): Promise<string> {
  const env = search.env ?? process.env;
  const cacheFolder = search.cacheFolder ?? fileURLToPath(new URL('../../node_modules/.cache/java', import.meta.url));
  const home = env['JAVA_HOME'];
  const tried: string[] = [];

  if (home === undefined || home === '') tried.push('JAVA_HOME is not set');
  for (const command of [...(home ? [join(home, 'bin', executable)] : []), 'java', ...(await inCache(cacheFolder))]) {
    const problem = await problemOf(command, env);
    if (problem === undefined) return command;
    tried.push(problem);
  }

  try {
    const fetchRuntime = search.fetchRuntime ?? (require('njre') as Njre).install;
    // Downloaded elsewhere, then moved, so that an incomplete download never counts as a runtime.
    const unfinished = join(cacheFolder, `unfinished-${process.pid}`);
    await mkdir(unfinished, { recursive: true });
    await fetchRuntime(fetched, { installPath: join(unfinished, 'archive') });
    await rm(join(cacheFolder, 'jre'), { recursive: true, force: true });
    await rename(join(unfinished, 'jre'), join(cacheFolder, 'jre'));
    const [command] = await inCache(cacheFolder);
    const problem = command === undefined ? 'the fetched archive holds none' : await problemOf(command, env);
    if (command !== undefined && problem === undefined) return command;
    tried.push(String(problem));
  } catch (error) {
    tried.push(`fetching one failed (${error instanceof Error ? error.message : String(error)})`);
  } finally {
    await rm(join(cacheFolder, `unfinished-${process.pid}`), { recursive: true, force: true });
  }

  throw new Error(
    `DynamoDB Local needs Java ${oldest} or newer, and there is none: ${tried.join(', ')}\n` +
      'Install one (Debian, Ubuntu: apt-get install default-jre-headless; macOS: brew install openjdk; Windows: ' +
      'winget install EclipseAdoptium.Temurin.21.JRE), or set JAVA_HOME to one',
  );
}

async function problemOf(command: string, env: JavaSearch['env']): Promise<string | undefined> {
  try {
    const { stderr } = await run(command, ['-version'], { env: { ...env } });
    const version = /version "(?:1\.)?(\d+)/.exec(stderr)?.[1];
    if (version === undefined) return `"${command} -version" tells no version`;
    return Number(version) >= oldest ? undefined : `"${command}" is Java ${version}`;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === 'ENOENT' ? `"${command}" does not exist` : `"${command} -version" failed (${code})`;
  }
}

/** The runtimes in the cache; on macOS the archive holds an application bundle. */
async function inCache(cacheFolder: string): Promise<string[]> {
  const releases = await readdir(join(cacheFolder, 'jre')).catch(() => []);
  const bundle = process.platform === 'darwin' ? ['Contents', 'Home'] : [];
  return releases.map((release) => join(cacheFolder, 'jre', release, ...bundle, 'bin', executable));
}
