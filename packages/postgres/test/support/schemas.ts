import { setTimeout as wait } from 'node:timers/promises';
import type { SessionStore } from '@mcp-session/core';
import type { SessionBackend } from '@mcp-session/core/backend';
import { createTestSchema, type TestSchema } from '@mcp-session-tooling/databases';
import {
  createPostgresBackend,
  createPostgresStore,
  type PostgresBackendOptions,
  type PostgresStoreOptions,
} from '@mcp-session/postgres';
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

/** A store that does not sweep by itself, closed after the test. */
export async function openStore(options: PostgresStoreOptions): Promise<SessionStore> {
  const store = await createPostgresStore({ sweep: false, ...options });
  onTestFinished(() => store.close());
  return store;
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

/** A role that may connect and nothing else, gone after the test. */
export async function newRole(): Promise<{ readonly sql: postgres.Sql; readonly role: string; readonly url: string }> {
  const role = `role_${crypto.randomUUID().replaceAll('-', '').slice(0, 16)}`;
  const sql = connect(inject('postgres').url);
  await sql.unsafe(`create role ${role} login password '${role}'`);
  onTestFinished(async () => {
    await sql.unsafe(`drop owned by ${role} cascade`);
    await sql.unsafe(`drop role ${role}`);
  });
  const url = new URL(inject('postgres').url);
  url.username = role;
  url.password = role;
  return { sql, role, url: url.href };
}

/** Resolves when so many statements on the tables of this test wait for a lock. */
export async function untilWaiting(sql: postgres.Sql, schema: string, count: number): Promise<void> {
  for (;;) {
    const waiting = await sql`
      select from pg_stat_activity where wait_event_type = 'Lock' and query like ${`%${schema}%`}`;
    if (waiting.length >= count) return;
    await wait(10);
  }
}
