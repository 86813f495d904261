import connect from 'postgres';
import { images } from './images.ts';
import type { DatabaseKind, ServerNeeds } from './kind.ts';
import { createCluster } from './postgres-cluster.ts';

/**
 * Settings of the test servers.
 *
 * By default, the data does not survive a power failure of the machine. But the operating system
 * has a commit before it is acknowledged (`synchronous_commit` stays on), so a killed server loses
 * nothing that was acknowledged, and tests with `kill -9` are meaningful.
 */
const settings = ({ flushed }: ServerNeeds): readonly string[] => [
  'max_connections=200',
  ...(flushed ? [] : ['fsync=off', 'full_page_writes=off']),
];

const user = 'postgres';
const database = 'postgres';

// Users' databases sort text by the rules of a language. A test database that sorts by bytes would
// hide the consequences.
const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=icu', '--icu-locale=en-US'];

/** PostgreSQL. Its data always survives a restart. */
export const postgres: DatabaseKind = {
  name: 'postgres',
  urlVariable: 'MCP_SESSION_TEST_POSTGRES_URL',
  protocols: ['postgres:', 'postgresql:'],

  async probe(url) {
    const sql = connect(url, { max: 1, connect_timeout: 5, onnotice: () => undefined });
    try {
      const [row] = await sql<{ server_version: string }[]>`show server_version`;
      return `PostgreSQL ${row?.server_version.split(' ', 1)[0]}`;
    } finally {
      await sql.end({ timeout: 5 });
    }
  },

  // Its data lives in the container, which keeps it from stop to start: always durable.
  container(needs) {
    const password = crypto.randomUUID();
    return {
      image: images.postgres,
      port: 5432,
      environment: { POSTGRES_PASSWORD: password, POSTGRES_INITDB_ARGS: locale.join(' ') },
      command: ['postgres', ...asArguments(settings(needs))],
      url: (host, port) => `postgres://${user}:${password}@${host}:${port}/${database}`,
    };
  },

  async embedded(needs, folder) {
    const password = crypto.randomUUID();
    const { server, data, identity } = await createCluster(folder, { user, password, locale });
    return {
      file: server,
      cwd: folder,
      identity,
      stopSignal: 'SIGINT',
      closeSignal: 'SIGQUIT',
      arguments: (port) => {
        const place = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
        return ['-D', data, ...asArguments([...place, ...settings(needs)])];
      },
      url: (port) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`,
    };
  },
};

function asArguments(settings: readonly string[]): string[] {
  return settings.flatMap((setting) => ['-c', setting]);
}
