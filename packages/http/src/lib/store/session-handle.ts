import type {
  CreateSessionOptions,
  EndAllSessionsOptions,
  GetSessionOptions,
  ListSessionsOptions,
  Session,
} from '@mcp-session/core';

/** A session as this package uses it: all but the state, which is the application's. */
export type AnySession = Omit<Session<never>, 'state'>;

/** A store as this package uses it, whatever the schemas of its state. */
export interface AnyStore {
  get(id: string, options?: GetSessionOptions): Promise<AnySession | undefined>;
  create(options?: CreateSessionOptions): Promise<AnySession>;
  endAll(options: EndAllSessionsOptions): Promise<number>;
  sweep(): Promise<number>;
  list(
    options?: ListSessionsOptions,
  ): Promise<{ readonly sessions: readonly AnySession[]; readonly nextCursor?: string | undefined }>;
}
