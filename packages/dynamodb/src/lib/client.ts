import type * as Module from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { ResolvedOptions } from './options.ts';

/** The AWS SDK with a client of it. */
export interface Sdk {
  readonly commands: typeof Module;
  readonly client: Module.DynamoDBClient;
}

/** Loads the SDK, and makes the client or takes the one that was given. Nothing is sent. */
export async function loadSdk({ client, region, endpoint, requestTimeoutMs }: ResolvedOptions): Promise<Sdk> {
  const commands = await load();
  // The option's type describes the part of a client that callers must see, `resolveOptions` has checked that it is one.
  if (client !== undefined) return { commands, client: client as unknown as Module.DynamoDBClient };
  const own = new commands.DynamoDBClient({
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
  return { commands, client: own };
}

// Not a static import: that of a package that is missing would fail before anything could say what to install.
async function load(): Promise<typeof Module> {
  try {
    return await import('@aws-sdk/client-dynamodb');
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND')) throw cause;
    throw new SessionError(
      'STORE_UNAVAILABLE',
      'The driver @aws-sdk/client-dynamodb cannot be loaded; install it beside @mcp-session/dynamodb: npm install @aws-sdk/client-dynamodb',
      { cause },
    );
  }
}
