import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it, onTestFinished } from 'vitest';

const entry = fileURLToPath(new URL('../src/index.ts', import.meta.url));

/**
 * What opening a store says where the driver is as `find` has it: JavaScript that gives the URL of
 * a module, or throws.
 */
async function open(find: string): Promise<string> {
  const hooks = `import { registerHooks } from 'node:module';
    const find = ${find};
    registerHooks({ resolve: (name, context, next) => name === 'postgres' ? { url: find(), shortCircuit: true } : next(name, context) });`;
  const program = `import { createPostgresStore } from ${JSON.stringify(entry)};
    await createPostgresStore({ url: 'postgres://app@127.0.0.1:1/app' }).catch((error) => console.log(error.code, error.message));`;
  const args = ['--conditions=@mcp-session/source', '--import', `data:text/javascript,${encodeURIComponent(hooks)}`];
  const { stdout } = await promisify(execFile)(process.execPath, [...args, '--input-type=module', '-e', program]);
  return stdout.trim();
}

it('a missing driver is named, with the command that installs it', async () => {
  const missing = `() => { throw Object.assign(new Error("Cannot find package 'postgres'"), { code: 'ERR_MODULE_NOT_FOUND' }); }`;
  expect(await open(missing)).toMatch(/^STORE_UNAVAILABLE The driver postgres .*npm install postgres@/);
});

it('an old driver is refused, and a current one is used', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-session-driver-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const main = join(folder, 'cjs', 'src', 'index.js');
  await mkdir(join(folder, 'cjs', 'src'), { recursive: true });
  await writeFile(main, 'module.exports = (url, options) => { throw new Error("It was used"); };');
  const versioned = async (version: string): Promise<string> => {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ name: 'postgres', version }));
    return await open(`() => ${JSON.stringify(`file://${main}`)}`);
  };
  expect(await versioned('3.3.5')).toMatch(
    /^STORE_UNAVAILABLE The driver postgres is of version 3\.3\.5, .*npm install/,
  );
  expect(await versioned('3.4.9')).not.toContain('STORE_UNAVAILABLE');
});
