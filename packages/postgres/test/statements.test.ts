import { expect, it } from 'vitest';
import { everything } from './support/everything.ts';
import { connect, createSession, newSchema, openBackend } from './support/schemas.ts';

it('every operation is one statement, prepared once', async () => {
  const { url, schema } = await newSchema();
  const statements: string[] = [];
  const sql = connect(url, { fetch_types: false, debug: (_, text) => statements.push(text) });
  const backend = await openBackend({ sql, schema, notifications: 'off' });
  await backend.migrate();
  const ids = [await createSession(backend, 'a'), await createSession(backend, 'b')] as const;
  for (const { name, statements: expected, call } of everything(backend, ids)) {
    statements.length = 0;
    await call();
    expect([name, statements.length]).toEqual([name, expected]);
  }
});

it('opening takes two statements if nothing is to be migrated', async () => {
  const { url, schema } = await newSchema();
  const statements: string[] = [];
  const sql = connect(url, { fetch_types: false, debug: (_, text) => statements.push(text) });
  const backend = await openBackend({ sql, schema });
  await backend.migrate();
  statements.length = 0;
  await backend.migrate();
  expect(statements).toHaveLength(2);
});
