import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findJava } from '../src/lib/java.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mcp-session-java-'));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

/** A command that answers as Java does; `place` is below the test's folder. */
async function fakeJava(place: string, version: string): Promise<string> {
  const command = join(folder, place, 'bin', 'java');
  await mkdir(dirname(command), { recursive: true });
  await writeFile(command, `#!/bin/sh\necho 'openjdk version "${version}" 2025-01-01' >&2\n`);
  await chmod(command, 0o755);
  return command;
}

const offline = (): Promise<never> => Promise.reject(new Error('no way out'));

// What /bin/sh and its echo need; no java.
const noJava = { PATH: '/nonexistent' };

describe('the Java of DynamoDB Local', () => {
  it('is that of JAVA_HOME', async () => {
    const command = await fakeJava('home', '21.0.1');
    const env = { ...noJava, JAVA_HOME: join(folder, 'home') };
    expect(await findJava({ env, cacheFolder: folder, fetchRuntime: offline })).toBe(command);
  });

  it('is that of the PATH when JAVA_HOME is too old', async () => {
    await fakeJava('home', '1.8.0_402');
    await fakeJava('path', '17.0.15');
    const env = { PATH: join(folder, 'path', 'bin'), JAVA_HOME: join(folder, 'home') };
    expect(await findJava({ env, cacheFolder: folder, fetchRuntime: offline })).toBe('java');
  });

  it('is fetched once when there is none', async () => {
    const cacheFolder = join(folder, 'cache');
    let fetches = 0;
    const fetchRuntime = async (_version: number, { installPath }: { installPath: string }): Promise<void> => {
      fetches++;
      const home = process.platform === 'darwin' ? join('release', 'Contents', 'Home') : 'release';
      await fakeJava(join(dirname(installPath), 'jre', home).slice(folder.length), '21.0.1');
    };
    const first = await findJava({ env: noJava, cacheFolder, fetchRuntime });
    const second = await findJava({ env: noJava, cacheFolder, fetchRuntime });
    expect(first).toContain(join(cacheFolder, 'jre', 'release'));
    expect(second).toBe(first);
    expect(fetches).toBe(1);
  });

  it('is missed with what was tried, and with what to do', async () => {
    await fakeJava('home', '11.0.2');
    const env = { ...noJava, JAVA_HOME: join(folder, 'home') };
    const found = findJava({ env, cacheFolder: folder, fetchRuntime: offline });
    await expect(found).rejects.toThrow(
      `DynamoDB Local needs Java 17 or newer, and there is none: "${join(folder, 'home', 'bin', 'java')}" is Java 11, ` +
        '"java" does not exist, fetching one failed (no way out)',
    );
    await expect(found).rejects.toThrow('apt-get install default-jre-headless');
  });
});
