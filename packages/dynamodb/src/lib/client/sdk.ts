import type * as Module from '@aws-sdk/client-dynamodb';
import { SessionError } from '@mcp-session/core';
import type { ResolvedOptions } from '../options.ts';

/** The module of the AWS SDK, and a client. */
export interface Sdk {
  readonly commands: typeof Module;
  readonly client: Module.DynamoDBClient;
}

/** Loads the SDK, and creates a client or takes the caller's. Sends nothing. */
export async function loadSdk({ client, region, endpoint, requestTimeoutMs }: ResolvedOptions): Promise<Sdk> {
  const commands = await load();
  // `DynamoDbClient` describes only a part of a client. `resolveOptions` has checked that it is
  // one.
  if (client !== undefined) return { commands, client: client as unknown as Module.DynamoDBClient };
  const own = new commands.DynamoDBClient({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    // All retries are in Connection. The SDK's own would multiply with them, and do not cover
    // conflicts of transactions.
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: Math.min(requestTimeoutMs, 3_000),
      requestTimeout: requestTimeoutMs,
      throwOnRequestTimeout: true,
    },
  });
  return { commands, client: own };
}

// Not a static import, which would fail before this package can say what to install.
async function load(): Promise<typeof Module> {
  try {
    return await import('@aws-sdk/client-dynamodb');
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND')) throw cause;
    throw new SessionError(
      'STORE_UNAVAILABLE',
      'The driver @aws-sdk/client-dynamodb cannot be loaded; install it next to @mcp-session/dynamodb: npm install @aws-sdk/client-dynamodb',
      { cause },
    );
  }
}
