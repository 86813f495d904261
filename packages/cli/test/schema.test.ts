import { stripVTControlCharacters } from 'node:util';
import Database from 'better-sqlite3';
import postgres from 'postgres';
import { describe, expect, it, onTestFinished } from 'vitest';
import { run, type RunOptions } from './support/cli.ts';
import { storages, type Storage } from './support/stores.ts';

/** Runs SQL on the database of a storage. */
type Execute = (script: string) => Promise<void>;

interface Kind {
  readonly executeOn: (storage: Storage) => Execute;
  /** The statements of the first migration alone, of all that `migrate --dry-run` prints. */
  readonly first: (plan: readonly string[]) => readonly string[];
  /** The version of the schema that this version of the package makes. */
  readonly needed: number;
  /** How the test names the tables, without the address. */
  readonly options: string;
}

const kinds: Readonly<Record<string, Kind>> = {
  sqlite: {
    executeOn: ({ args }) => {
      const database = new Database(args[1]?.slice('sqlite:'.length));
      onTestFinished(() => void database.close());
      return async (script) => void database.exec(script);
    },
    first: (plan) => [
      ...plan.slice(
        0,
        plan.findIndex((statement) => statement.startsWith('alter table')),
      ),
      'create table mcp_migrations (name text primary key, timestamp text not null)',
      `insert into mcp_migrations values ('0001-initial', '2026-01-01T00:00:00.000Z')`,
    ],
    needed: 3,
    options: '--store …',
  },
  postgres: {
    executeOn: ({ args, env }) => {
      const connection = { search_path: args[1] ?? '' };
      const sql = postgres(env['MCP_SESSION_STORE'] ?? '', { max: 1, onnotice: () => undefined, connection });
      onTestFinished(() => sql.end());
      return async (script) => void (await sql.unsafe(script));
    },
    first: (plan) => plan.slice(0, plan.findIndex((statement) => statement.includes(`'0001-initial'`)) + 1),
    needed: 4,
    options: '--schema ',
  },
};

const commands = [
  ['ls'],
  ['show', 'some-id'],
  ['state', 'some-id'],
  ['events', 'some-id'],
  ['count'],
  ['end', 'some-id'],
  ['sweep'],
  ['studio'],
];

describe.each(Object.entries(kinds))('on %s', (name, { executeOn, first, needed, options }) => {
  async function prepare() {
    const storage = await storages[name]?.();
    if (storage === undefined) throw new Error('no such storage');
    const cli = (args: readonly string[], more: RunOptions = {}) =>
      run([...args, ...storage.args], { env: storage.env, signal: AbortSignal.abort(), ...more });
    return { storage, cli };
  }

  it('an older schema is named with both versions and the command that migrates it', async () => {
    const { storage, cli } = await prepare();
    const { statements } = JSON.parse((await cli(['migrate', '--dry-run', '--json'])).stdout) as {
      statements: string[];
    };
    const execute = executeOn(storage);
    await execute(first(statements).join(';\n'));
    const command = `mcp-session migrate ${options}${name === 'postgres' ? storage.args[1] : ''}`;

    for (const args of commands) {
      const { code, stdout, stderr } = await cli(args);
      expect({ args, code, stdout, lines: stderr.split('\n').slice(0, 2) }).toEqual({
        args,
        code: 1,
        stdout: '',
        lines: [
          `The store has schema version 1, and this version of @mcp-session/${name} needs ${needed}`,
          `Migrate it with: ${command}`,
        ],
      });
    }
    const doctor = await cli(['doctor', '--json']);
    const found = JSON.parse(doctor.stdout) as { check: string; status: string }[];
    expect(found.filter(({ status }) => status === 'failure')).toEqual([
      {
        check: 'schema',
        status: 'failure',
        found: `schema version is 1, and this package needs ${needed}`,
        remedy: `run ${command}`,
      },
    ]);
    expect(doctor).toMatchObject({ code: 4, stderr: 'Checks failed: schema\nFollow the arrows above.\n' });
    for (const args of [['ls'], ['doctor']]) {
      const { stdout, stderr } = await cli(args, { columns: 80 });
      const lines = stripVTControlCharacters(stdout + stderr).split('\n');
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
    }

    expect(await cli(['migrate'])).toMatchObject({ code: 0, stderr: '', stdout: 'The store is migrated.\n' });
    expect(await cli(['count'])).toMatchObject({ code: 0, stderr: '' });
    expect((await cli(['doctor'])).stdout).toContain(`schema version ${needed}`);
  });

  it('a newer schema is one, for each command', async () => {
    const { storage, cli } = await prepare();
    await cli(['migrate']);
    const columns = name === 'sqlite' ? '(name, timestamp)' : '(name)';
    const values = name === 'sqlite' ? `('9999-future', '2026-01-01T00:00:00.000Z')` : `('9999-future')`;
    await executeOn(storage)(`insert into mcp_migrations ${columns} values ${values}`);

    for (const args of [...commands, ['migrate'], ['migrate', '--dry-run'], ['doctor']]) {
      const { code, stdout, stderr } = await cli(args);
      expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' });
      expect(stderr).toContain(`was migrated by a newer version of @mcp-session/${name} ("9999-future")`);
      expect(stderr).toContain('install that version');
    }
  });
});
