import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { succeed, type Packed } from './pack.ts';

/** A user's project: the packages that it installs, and the entries that it imports. */
export interface ProjectPlan {
  /** What to install from the tarballs. */
  readonly packages: readonly Packed[];
  /** What to install from the registry: ranges by name. */
  readonly others: Readonly<Record<string, string>>;
}

/**
 * Makes an empty project and installs into it with npm, as a user would. Our own packages never
 * come from the registry.
 */
export async function createProject(folder: string, plan: ProjectPlan, tarballs: readonly Packed[]): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const fromTarball = (packed: readonly Packed[]) =>
    Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`]));
  const manifest = {
    name: 'empty-project',
    private: true,
    type: 'module',
    dependencies: { ...fromTarball(plan.packages), ...plan.others },
    overrides: fromTarball(tarballs),
  };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest, null, 2));
  await succeed('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], folder);
}

/** Imports an entry with Node itself and returns the names that it exports. */
export async function importEntry(folder: string, entry: string): Promise<string[]> {
  const code = `console.log(JSON.stringify(Object.keys(await import(${JSON.stringify(entry)}))))`;
  const output = await succeed(process.execPath, ['--no-warnings', '--input-type=module', '--eval', code], folder);
  return JSON.parse(output) as string[];
}

/**
 * Calls a function of an entry, which is to fail, and returns the code and the message of its
 * error.
 */
export async function failureOf(folder: string, entry: string, name: string): Promise<string> {
  const code = `const { ${name} } = await import(${JSON.stringify(entry)});
    await ${name}().then(() => console.log('no error'), ({ code, message }) => console.log(code, message));`;
  const args = ['--no-warnings', '--input-type=module', '--eval', code];
  return (await succeed(process.execPath, args, folder)).trim();
}

/**
 * Type-checks a file that imports the entries, and one that does so in a package that is not
 * `"type": "module"`, declarations of all their dependencies included. Throws with the complaints.
 */
export async function checkEntries(folder: string, entries: readonly string[]): Promise<void> {
  const imports = entries.map(
    (entry, i) => `import * as entry${i} from '${entry}';\nexport type E${i} = typeof entry${i};`,
  );
  writeFileSync(join(folder, 'use.ts'), `${imports.join('\n')}\n`);
  const nested = join(folder, 'commonjs');
  mkdirSync(nested, { recursive: true });
  writeFileSync(join(nested, 'package.json'), '{}');
  const [entry = ''] = entries;
  writeFileSync(join(nested, 'use.ts'), COMMON_JS[entry] ?? `${imports.join('\n')}\n`);
  const compilerOptions = {
    target: 'es2024',
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    skipLibCheck: false,
    types: ['node'],
  };
  // One program: the declarations of an SDK take seconds to check.
  const files = ['use.ts', 'commonjs/use.ts'];
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
  await compile(folder);
}

export async function compile(folder: string): Promise<void> {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc');
  await succeed(process.execPath, [compiler, '--project', folder, '--pretty', 'false'], folder);
}

/** A server as the users of each SDK line write it, in a file that is CommonJS. */
const COMMON_JS: Readonly<Record<string, string>> = {
  '@mcp-session/http/v1': `import { createMemoryStore } from '@mcp-session/core/memory';
import { createSessionHandler, type SessionHandler } from '@mcp-session/http/v1';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

export async function main(): Promise<SessionHandler> {
  const store = await createMemoryStore();
  const createServer = (): McpServer => new McpServer({ name: 'test', version: '1.0.0' });
  return createSessionHandler({ store, createServer, onRestore: ({ server }) => server.sendToolListChanged() });
}
`,
  '@mcp-session/http/v2': `import { createMemoryStore } from '@mcp-session/core/memory';
import { createDualEraHandler, createSessionHandler, type SessionHandler } from '@mcp-session/http/v2';
import { McpServer } from '@modelcontextprotocol/server';

export async function main(): Promise<SessionHandler[]> {
  const store = await createMemoryStore();
  const createServer = (): McpServer => new McpServer({ name: 'test', version: '1.0.0' });
  return [
    createSessionHandler({ store, createServer, onRestore: ({ server }) => server.sendToolListChanged() }),
    createDualEraHandler({ store, createServer, createStatelessServer: createServer }),
  ];
}
`,
  '@mcp-session/tasks/v1': `import { createMemoryStore } from '@mcp-session/core/memory';
import { createTaskStore } from '@mcp-session/tasks';
import { createV1Tasks } from '@mcp-session/tasks/v1';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';

export async function main(): Promise<McpServer> {
  const store = await createMemoryStore();
  const tasks = createV1Tasks(store, createTaskStore(store), { principal: null });
  const server = new McpServer({ name: 'test', version: '1.0.0' }, tasks.options);
  tasks.serve(server);
  return server;
}
`,
  '@mcp-session/tasks/v2': `import { createMemoryStore } from '@mcp-session/core/memory';
import { createTaskStore } from '@mcp-session/tasks';
import { serveTasks } from '@mcp-session/tasks/v2';
import { McpServer } from '@modelcontextprotocol/server';

export async function main(): Promise<McpServer> {
  const tasks = createTaskStore(await createMemoryStore());
  const server = new McpServer({ name: 'test', version: '1.0.0' });
  const served = serveTasks(server, tasks, { principal: () => null });
  server.registerTool('report', {}, async (context) => served.create(context));
  return server;
}
`,
};

/**
 * Runs the conformance kit in a project that has it and the SQLite backend, the way the author of a
 * backend does: against a file, with second processes. Returns what vitest wrote, and throws with
 * it if the kit fails.
 */
export async function runKit(folder: string): Promise<string> {
  writeFileSync(
    join(folder, 'second-process.mjs'),
    `import { createSqliteBackend } from '@mcp-session/sqlite';

export const openBackend = (path) => createSqliteBackend({ path });
`,
  );
  writeFileSync(
    join(folder, 'backend.test.mjs'),
    `import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describeBackend } from '@mcp-session/conformance/vitest';
import { createSqliteBackend } from '@mcp-session/sqlite';
import Database from 'better-sqlite3';

function rowsOf(path) {
  const database = new Database(path, { readonly: true });
  const all = (table) => database.prepare('select * from mcp_' + table).all();
  const ids = new Map(all('sessions').map(({ pk, id }) => [pk, id]));
  const rows = ['sessions', 'state', 'events', 'tokens', 'trims', 'records'].flatMap((table) =>
    all(table).map((row) => ({ table, session: ids.get(row.pk ?? row.session_pk), text: JSON.stringify(row) })),
  );
  database.close();
  return rows;
}

describeBackend('installed', async () => {
  const folder = mkdtempSync(join(import.meta.dirname, 'data-'));
  const path = join(folder, 'sessions.db');
  return {
    backend: await createSqliteBackend({ path }),
    reopen: () => createSqliteBackend({ path }),
    secondProcess: { module: new URL('second-process.mjs', import.meta.url), argument: path },
    rows: async () => rowsOf(path),
    dispose: () => rmSync(folder, { recursive: true, force: true }),
  };
});
`,
  );
  return await succeed(process.execPath, [join(folder, 'node_modules', 'vitest', 'vitest.mjs'), 'run'], folder);
}
