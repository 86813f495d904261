import { openContainer } from './docker.ts';
import { dynamodb } from './dynamodb.ts';
import { openEmbedded } from './embedded.ts';
import type { DatabaseKind, DatabaseName } from './kind.ts';
import { postgres } from './postgres.ts';
import type { DatabaseServer, OwnServer } from './server.ts';
import { ForcedSourceError, modeVariable, openFirst, parseMode, type Source } from './sources.ts';

const kinds: Readonly<Record<DatabaseName, DatabaseKind>> = { postgres, dynamodb };

export interface OpenOptions {
  /** Where the variables are read from. Default: `process.env`. */
  readonly env?: Readonly<Record<string, string | undefined>>;

  /**
   * Receives one line that says which source was chosen, and why the ones before it were not.
   * Default: nothing is reported.
   */
  readonly log?: (line: string) => void;

  /**
   * Whether the server flushes acknowledged writes to the disk, as in production. A server of the
   * environment keeps its own settings.
   *
   * Default: `false`, which is faster.
   */
  readonly flushed?: boolean;
}

/**
 * Opens a shared test database: from the environment, otherwise from Docker, otherwise embedded.
 *
 * Its leftovers are removed when it is closed, and also if this process dies without closing it.
 *
 * @throws RangeError when `MCP_SESSION_TEST_DATABASES` has an unknown value.
 * @throws ForcedSourceError if a source was requested, by that variable or by a URL, and does not
 * work.
 * @throws AggregateError if no source works. Its message gives the reason for each.
 */
export async function openDatabase(database: DatabaseName, options: OpenOptions = {}): Promise<DatabaseServer> {
  const kind = kinds[database];
  const env = options.env ?? process.env;
  const { flushed = false } = options;
  const sources: Source<DatabaseServer>[] = [
    { name: 'env', open: () => fromEnvironment(kind, env) },
    { name: 'docker', open: () => openContainer(kind, { durable: false, flushed }) },
    { name: 'embedded', open: () => openEmbedded(kind, { durable: false, flushed }) },
  ];
  return openFirst(database, sources, parseMode(env[modeVariable]), options.log ?? (() => undefined));
}

/**
 * Opens a database and names it in `env`: every process that inherits `env` then uses this server,
 * where it would start one of its own.
 *
 * A server that `env` names already stays the one. If `env` forces a source, each process must take
 * its database from there itself: then nothing is opened, and `env` stays as it is.
 *
 * @param log Receives one line, as that of {@link OpenOptions}.
 * @returns A function that ends the server, as {@link DatabaseServer.close}.
 * @throws As {@link openDatabase}.
 */
export async function shareDatabase(
  database: DatabaseName,
  env: NodeJS.ProcessEnv,
  log: (line: string) => void,
): Promise<() => Promise<void>> {
  if (parseMode(env[modeVariable]) !== undefined) return () => Promise.resolve();
  const server = await openDatabase(database, { env, log });
  env[kinds[database].urlVariable] = server.url;
  return () => server.close();
}

/**
 * Starts a server for one test, which may stop it, kill it and start it again: from Docker,
 * otherwise embedded.
 *
 * A server of the environment belongs to somebody else, so that source never applies here.
 *
 * @throws As {@link openDatabase}.
 */
export async function openOwnServer(database: DatabaseName, options: OpenOptions = {}): Promise<OwnServer> {
  const kind = kinds[database];
  const env = options.env ?? process.env;
  const { flushed = false } = options;
  const sources: Source<OwnServer>[] = [
    { name: 'env', open: () => Promise.reject(new Error('a test must not stop a server that it did not start')) },
    { name: 'docker', open: () => openContainer(kind, { durable: true, flushed }) },
    { name: 'embedded', open: () => openEmbedded(kind, { durable: true, flushed }) },
  ];
  return openFirst(database, sources, parseMode(env[modeVariable]), options.log ?? (() => undefined));
}

async function fromEnvironment(kind: DatabaseKind, env: NonNullable<OpenOptions['env']>): Promise<DatabaseServer> {
  const url = env[kind.urlVariable];
  if (url === undefined || url === '') {
    throw new Error(`${kind.urlVariable} is not set\nStart a server, as by "docker compose up -d --wait", and name it`);
  }
  // If a server is named, the tests must run there: from here on, each problem is final.
  if (!URL.canParse(url) || !kind.protocols.includes(new URL(url).protocol)) {
    const valid = kind.protocols.map((protocol) => `"${protocol}//"`).join(' or ');
    throw new ForcedSourceError(`${kind.urlVariable} is not a URL that begins with ${valid}`);
  }
  const { host } = new URL(url);
  try {
    const product = await kind.probe(url);
    const close = (): Promise<void> => Promise.resolve();
    const address = { database: kind.name, source: 'env', url, product: `${product} at ${host}` } as const;
    return { ...address, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    const reason = error instanceof Error ? error.message || error.name : String(error);
    throw new ForcedSourceError(`${kind.urlVariable} names ${host}, which does not answer: ${reason}`, {
      cause: error,
    });
  }
}
