import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createDynamoDbBackend, type DynamoDbBackendOptions } from '@mcp-session/dynamodb';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { inject, onTestFinished } from 'vitest';
import { Proxy } from './proxy.ts';
import { newStorage, optionsOf, type StorageArgument } from './storage.ts';

/** Tables of one test, with a proxy in front of them. */
export interface Behind {
  readonly proxy: Proxy;
  /** How another process reaches the tables, past the proxy. */
  readonly direct: StorageArgument;
  /** How another process reaches the tables, through the proxy. */
  readonly through: StorageArgument;
  /**
   * Opens a backend that goes through the proxy. A request that is not answered within `timeoutMs`,
   * ten seconds by default, is tried again.
   */
  open(options?: DynamoDbBackendOptions, timeoutMs?: number): Promise<SessionBackend>;
}

export async function openBehindProxy(): Promise<Behind> {
  const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
  const proxy = await Proxy.start(url);
  onTestFinished(async () => {
    proxy.fault = () => undefined;
    await proxy.close();
    await dispose();
  });
  const through = { url: proxy.url, prefix };
  const first = await createDynamoDbBackend(optionsOf({ url, prefix }));
  await first.migrate();
  await first.close();
  const open = (options: DynamoDbBackendOptions = {}, timeoutMs = 10_000): Promise<SessionBackend> => {
    const client = new DynamoDBClient({
      ...dynamoDbConfig(proxy.url),
      maxAttempts: 1,
      requestHandler: { requestTimeout: timeoutMs, throwOnRequestTimeout: true },
    });
    onTestFinished(() => client.destroy());
    return createDynamoDbBackend({ ...optionsOf(through), client, ...options });
  };
  return { proxy, direct: { url, prefix }, through, open };
}
