import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { Connection } from './connection.ts';
import type { CreateOptions, ResolvedOptions } from './options.ts';

/** A connection, what it may create, and whether closing its client is ours to do. */
export interface Opened {
  readonly connection: Connection;
  readonly owned: boolean;
  readonly create: CreateOptions | undefined;
}

/** Makes the client or takes the one that was given. Nothing is sent. */
export function open({ client, region, endpoint, requestTimeoutMs, create, ...limits }: ResolvedOptions): Opened {
  if (client !== undefined) {
    // The option's type describes the part of a client that callers must see, `resolveOptions` has checked that it is one.
    const connection = new Connection(client as unknown as DynamoDBClient, limits);
    return { connection, owned: false, create };
  }
  const own = new DynamoDBClient({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    // All retries are made in one place, see Connection: the SDK's own would multiply with them, and knows nothing of transactions that conflict.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: Math.min(requestTimeoutMs, 3_000),
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
  });
  return { connection: new Connection(own, limits), owned: true, create };
}
