import type { Session } from '@mcp-session/core';
import { SessionError } from '@mcp-session/core';
import type { StudioAction, ResolvedOptions } from '../options.ts';
import type { Arguments } from '../body.ts';

/** What an operation works with. */
export interface Call {
  readonly options: ResolvedOptions;
  readonly args: Arguments;
  /** Aborted when the client has disconnected. */
  readonly signal: AbortSignal;
}

/** One operation of the API: `POST api/<name>` with its arguments in a JSON body. */
export interface Operation {
  readonly action: Exclude<StudioAction, 'page'>;
  /** @returns What is sent as JSON, or a response. */
  readonly run: (call: Call) => Promise<unknown>;
}

/** @throws SessionError `SESSION_NOT_FOUND` */
export async function sessionOf({ options: { store }, args }: Call): Promise<Session> {
  const session = await store.inspect(args.text('id'));
  if (session !== undefined) return session;
  throw new SessionError('SESSION_NOT_FOUND', 'Session is unknown, has expired or was ended');
}
