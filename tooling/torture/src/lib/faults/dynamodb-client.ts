import { type DynamoDBClient, ThrottlingException } from '@aws-sdk/client-dynamodb';

/** Faults of a client's requests, each with a probability from 0 to 1. */
export interface Trouble {
  /** Requests that name one of these sessions are throttled. */
  readonly throttledSessions: readonly string[];
  /** How many of those requests. */
  readonly throttled: number;
  /** How many of all requests: the request arrives, but its answer does not. */
  readonly unanswered: number;
}

/** Adds faults to a client's requests. The requests themselves are real. */
export function trouble(client: DynamoDBClient, about: Trouble | undefined): DynamoDBClient {
  if (about === undefined) return client;
  client.middlewareStack.add(
    (next) => async (args) => {
      const text = JSON.stringify(args.input);
      if (about.throttledSessions.some((id) => text.includes(id)) && Math.random() < about.throttled) {
        throw new ThrottlingException({ message: 'Rate exceeded', $metadata: {} });
      }
      const answer = await next(args);
      if (Math.random() < about.unanswered) {
        throw Object.assign(new Error('socket hang up'), { name: 'TimeoutError', code: 'ECONNRESET' });
      }
      return answer;
    },
    { step: 'initialize', name: 'trouble' },
  );
  return client;
}
