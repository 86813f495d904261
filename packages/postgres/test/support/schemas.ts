import type { SessionBackend } from '@mcp-session/core';
import { createTestSchema, type TestSchema } from '@mcp-session-tooling/databases';
import { createPostgresBackend, type PostgresBackendOptions } from '@mcp-session/postgres';
import postgres from 'postgres';
import { inject, onTestFinished } from 'vitest';

/** A time that no test reaches. */
export const FAR = 1e12;

/** An empty schema, gone after the test. */
export async function newSchema(url: string = inject('postgres').url): Promise<TestSchema> {
  const schema = await createTestSchema(url);
  onTestFinished(() => schema.dispose());
  return schema;
}

/** A client of the test's own, ended after the test. */
export function connect(url: string, options: postgres.Options<Record<string, never>> = {}): postgres.Sql {
  const sql = postgres(url, { onnotice: () => undefined, ...options });
  onTestFinished(() => sql.end({ timeout: 5 }));
  return sql;
}

/** A backend, closed after the test. */
export async function openBackend(options: PostgresBackendOptions): Promise<SessionBackend> {
  const backend = await createPostgresBackend(options);
  onTestFinished(() => backend.close());
  return backend;
}

/** A migrated backend on a schema of its own, and the means to look into it. */
export async function newBackend(options: PostgresBackendOptions = {}): Promise<{
  readonly backend: SessionBackend;
  readonly sql: postgres.Sql;
  readonly url: string;
  readonly schema: string;
}> {
  const { url, schema } = await newSchema();
  const sql = connect(url, { max: 2, connection: { search_path: schema } });
  const backend = await openBackend({ ...(options.sql === undefined && { url }), schema, ...options });
  await backend.migrate();
  return { backend, sql, url, schema };
}

/** Creates a session that stays live. */
export async function createSession(backend: SessionBackend, id = 'a'): Promise<string> {
  await backend.createSession({ id, kind: 'session', principal: null, profile: 'secret', expiresAt: FAR }, 1);
  return id;
}

/** Appends one request of events to a session. */
export async function append(
  backend: SessionBackend,
  token: string,
  streams: readonly string[] = ['s'],
  sessionId = 'a',
): ReturnType<SessionBackend['appendEvents']> {
  const events = streams.map((streamId) => ({ streamId, message: '1', bytes: 1 }));
  return await backend.appendEvents([{ sessionId, token, events, expiresAt: undefined }], 1);
}
