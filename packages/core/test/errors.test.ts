import { readdir, readFile } from 'node:fs/promises';
import type { SessionErrorCode } from '@mcp-session/core';
import { EventsTrimmedError, SessionError, StateConflictError, StateValidationError } from '@mcp-session/core';
import { describe, expect, it } from 'vitest';
import { errorOf } from './support/errors.ts';
import { open } from './support/open.ts';

/**
 * Thrown by backends that have a file, a server or a schema; core passes them on. The last is
 * core's as well.
 */
const BACKENDS_ONLY = ['STORE_DENIED', 'STORE_READ_ONLY', 'STORE_SCHEMA_TOO_NEW', 'STORE_UNAVAILABLE'] as const;

const CORE = [
  'EVENTS_TRIMMED',
  'EVENT_TOO_LARGE',
  'HANDLE_EXPIRED',
  'HANDLE_LIMIT_REACHED',
  'HANDLE_NOT_FOUND',
  'INVALID_CURSOR',
  'INVALID_KIND',
  'INVALID_PRINCIPAL',
  'INVALID_REQUEST_STATE',
  'INVALID_SESSION_ID',
  'INVALID_STATE_KEY',
  'INVALID_STATE_VALUE',
  'INVALID_STREAM_ID',
  'NOT_JSON',
  'PROFILE_CONFLICT',
  'PROFILE_TOO_LARGE',
  'SESSION_EXISTS',
  'SESSION_NOT_FOUND',
  'STATE_CONFLICT',
  'STATE_KEY_UNDECLARED',
  'STATE_LIMIT_EXCEEDED',
  'STATE_VALUE_TOO_LARGE',
  'STORE_BUSY',
  'STORE_CLOSED',
  'STORE_CORRUPT',
  'STORE_FAILED',
  'STORE_FULL',
] as const;

// The compiler holds that the two lists name every code, and no other.
type Listed = (typeof CORE | typeof BACKENDS_ONLY)[number];
const complete: [SessionErrorCode, Listed] extends [Listed, SessionErrorCode] ? true : never = true;

describe('error codes', () => {
  it('are each covered by a test of this package, or are for backends only', async () => {
    expect(complete).toBe(true);
    const sources = await readAll(new URL('../src/', import.meta.url));
    const tests = await readAll(new URL('./', import.meta.url), 'errors.test.ts');

    for (const code of CORE) {
      expect(sources).toContain(`'${code}'`);
      expect(tests).toContain(`'${code}'`);
    }
    for (const code of BACKENDS_ONLY) expect(sources.split(`'${code}'`)).toHaveLength(2);
  });

  it('carry what a caller needs to know', () => {
    const cause = new Error('driver');
    expect(new SessionError('STORE_BUSY', 'Locked')).toMatchObject({
      name: 'SessionError',
      code: 'STORE_BUSY',
      message: 'Locked',
      retryable: false,
      outcomeUnknown: false,
    });
    expect(new SessionError('STORE_BUSY', 'Locked')).not.toHaveProperty('cause');
    expect(new SessionError('STORE_BUSY', 'Locked', { cause, retryable: true, outcomeUnknown: true })).toMatchObject({
      cause,
      retryable: true,
      outcomeUnknown: true,
    });
    for (const error of [
      new StateConflictError('a', 1, 2),
      new EventsTrimmedError(1, 2),
      new StateValidationError('a', 'given', [{ message: 'wrong' }]),
    ]) {
      expect(error).toBeInstanceOf(SessionError);
      expect(error.name).toBe(error.constructor.name);
    }
  });
});

describe('messages', () => {
  it('contain no values, principals or metadata, and cut what was malformed', async () => {
    const secret = 's3cret'.repeat(50);
    const { store } = await open({ stateLimits: { maxValueBytes: 10, maxKeys: 1 } });
    const session = await store.create({ id: 'known', principal: secret, metadata: { secret } });
    await session.state.set('a', 1);
    const event = await session.events.append('s', secret);
    await session.events.append('s', 1);
    await session.events.trim({ maxEvents: 0 });

    const errors = await Promise.all(
      [
        () => store.create({ id: 'known', principal: secret }),
        () => store.create({ principal: `${secret}\0` }),
        () => store.create({ metadata: { [secret]: Number.NaN } }),
        () => store.create({ metadata: { secret: secret.repeat(1_000) } }),
        () => session.state.set('a', secret),
        () => session.state.set('a', [secret, Number.NaN]),
        () => session.state.set('b', 1),
        () => session.state.compareAndSet('a', 2, 9),
        () => session.events.append('s', { secret, n: 1n }),
        () => session.events.replay({ after: event }).next(),
      ].map(errorOf),
    );

    for (const error of errors) {
      expect(error).toBeInstanceOf(SessionError);
      expect((error as Error).message).not.toContain('s3cret');
      expect((error as Error).message).toMatch(/^[A-Z].*[^.]$/);
    }
    for (const use of [
      () => store.create({ id: `${secret} ` }),
      () => store.create({ kind: `${secret} ` }),
      () => session.events.append(`${secret} `, 1),
      () => session.state.get(secret),
      () => session.events.replay({ after: secret }).next(),
    ]) {
      expect(((await errorOf(use)) as Error).message.length).toBeLessThan(200);
    }
  });
});

async function readAll(folder: URL, except?: string): Promise<string> {
  const files = await readdir(folder, { recursive: true });
  const texts = files
    .filter((file) => file.endsWith('.ts') && file !== except)
    .map((file) => readFile(new URL(file, folder), 'utf8'));
  return (await Promise.all(texts)).join('\n');
}
