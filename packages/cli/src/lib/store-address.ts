import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { SessionBackend } from '@mcp-session/core/backend';
import { CliError, EXIT } from './failure.ts';

/** Options that say which tables of a database are meant. */
export interface PlaceOptions {
  readonly schema?: string | undefined;
  readonly prefix?: string | undefined;
}

/** What a command does with a store: look, plan what `migrate` would do, or create tables. */
export type Use = 'look' | 'plan' | 'create';

/** A store that an address names. */
export interface NamedStore {
  /** The package of its backend. */
  readonly packageName: string;
  /** What else that package needs. */
  readonly driver: string;
  /** The function of the package that opens the backend, and its options. */
  readonly factory: string;
  readonly options: Readonly<Record<string, unknown>>;
  /** The file of SQLite; `undefined` for other databases. */
  readonly file: string | undefined;
}

const FORMS = 'sqlite:./sessions.db, postgres://user@host/database or dynamodb:?region=eu-central-1';

/**
 * Reads an address. No message quotes it, because it can hold a password.
 *
 * @param use What the command is going to do.
 */
export function parseAddress(address: string | undefined, place: PlaceOptions, use: Use): NamedStore {
  if (address === undefined || address === '') {
    throw new CliError('No store is named', `Give --store, or set MCP_SESSION_STORE: ${FORMS}.`);
  }
  const scheme = /^([a-z]+):/i.exec(address)?.[1]?.toLowerCase();
  const rest = address.slice(address.indexOf(':') + 1);
  switch (scheme) {
    case 'sqlite':
      // Two slashes alone begin a host. SQLAlchemy writes four before an absolute path.
      return sqlite(rest.replace(/^\/{2,}(?=\/)/, ''), place);
    case 'postgres':
    case 'postgresql':
      return postgres(address, place);
    case 'dynamodb':
      return dynamoDb(rest, place, use);
    case 'memory':
      throw new CliError(
        'The memory backend lives in the process of its server, and no other process can look at it',
        'Mount @mcp-session/studio in that server, or keep its sessions in SQLite: --store sqlite:./sessions.db',
      );
    default:
      throw new CliError('Address of the store has an unknown form', `Give one such as ${FORMS}.`);
  }
}

function sqlite(path: string, { schema, prefix }: PlaceOptions): NamedStore {
  if (schema !== undefined) throw new CliError('SQLite has no schemas', 'Leave out --schema.');
  // Like the address of a server, which can hold a password. A path is shown where it cannot be
  // opened.
  if (/^\/\/[^/]/.test(path)) {
    throw new CliError('SQLite has no hosts', 'Name a file: sqlite:./sessions.db, or sqlite:/var/lib/sessions.db');
  }
  if (path === '' || path === ':memory:') {
    throw new CliError(
      'A database in memory belongs to its process alone',
      'Name a file: --store sqlite:./sessions.db',
    );
  }
  const options = { path, ...(prefix !== undefined && { tablePrefix: prefix }) };
  const names = { packageName: '@mcp-session/sqlite', driver: 'better-sqlite3', factory: 'createSqliteBackend' };
  return { ...names, options, file: path };
}

function postgres(url: string, { schema, prefix }: PlaceOptions): NamedStore {
  const options = {
    url,
    maxConnections: 4,
    ...(schema !== undefined && { schema }),
    ...(prefix !== undefined && { tablePrefix: prefix }),
  };
  const names = { packageName: '@mcp-session/postgres', driver: 'postgres', factory: 'createPostgresBackend' };
  return { ...names, options, file: undefined };
}

function dynamoDb(rest: string, { schema, prefix }: PlaceOptions, use: Use): NamedStore {
  if (schema !== undefined) throw new CliError('DynamoDB has no schemas', 'Leave out --schema.');
  if (prefix !== undefined) {
    const remedy = 'Name the tables: --store "dynamodb:?sessionsTable=a&eventsTable=b"';
    throw new CliError('DynamoDB takes the names of its tables instead of a prefix', remedy);
  }
  const given = new URLSearchParams(rest.replace(/^\/*\??/, ''));
  const known = ['region', 'endpoint', 'sessionsTable', 'eventsTable'];
  if ([...given.keys()].some((name) => !known.includes(name))) {
    const remedy = `It takes ${known.join(', ')}. The AWS SDK finds the credentials, such as in the environment.`;
    throw new CliError('The address of DynamoDB has a part that it does not take', remedy);
  }
  const options = { ...Object.fromEntries(given), ...(use === 'create' && { autoCreateTables: true }) };
  const names = {
    packageName: '@mcp-session/dynamodb',
    driver: '@aws-sdk/client-dynamodb',
    factory: 'createDynamoDbBackend',
  };
  return { ...names, options, file: undefined };
}

/** Opens the backend of a store. Creates no table, and a file only for the use `create`. */
export async function openBackend(store: NamedStore, folder: string, use: Use): Promise<SessionBackend> {
  const { file } = store;
  let path = file === undefined ? undefined : resolve(folder, file);
  if (path !== undefined && use !== 'create' && !existsSync(path)) {
    // The plan for a new file is the same as for a database in memory.
    if (use === 'plan') path = ':memory:';
    else throw new CliError('There is no such SQLite file', 'Check the path in --store.', EXIT.failed);
  }
  const module = await load(store, folder);
  const open = module[store.factory] as (options: object) => Promise<SessionBackend>;
  return open({ ...store.options, ...(path !== undefined && { path }) });
}

/**
 * Loads the package of a backend: the one that is installed beside this command, or that of the
 * folder where the command runs, such as the server's.
 */
async function load({ packageName, driver }: NamedStore, folder: string): Promise<Record<string, unknown>> {
  try {
    return (await import(packageName)) as Record<string, unknown>;
  } catch (error) {
    if (!isMissing(error, packageName)) throw error;
  }
  let path: string;
  try {
    path = createRequire(join(folder, 'package.json')).resolve(packageName);
  } catch {
    const remedy = `Install it with its driver: npm install ${packageName} ${driver}`;
    throw new CliError(`The package ${packageName} is not installed here`, remedy, EXIT.failed);
  }
  return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
}

function isMissing(error: unknown, packageName: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ERR_MODULE_NOT_FOUND' && message.includes(`'${packageName}'`);
}
