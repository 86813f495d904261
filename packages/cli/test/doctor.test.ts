import {
  DeleteTableCommand,
  DescribeTableCommand,
  DynamoDBClient,
  UpdateTableCommand,
  UpdateTimeToLiveCommand,
} from '@aws-sdk/client-dynamodb';
import { chmodSync } from 'node:fs';
import { stripVTControlCharacters } from 'node:util';
import { dynamoDbConfig } from '@mcp-session-tooling/databases';
import Database from 'better-sqlite3';
import postgres from 'postgres';
import { expect, inject, it, onTestFinished, vi } from 'vitest';
import { run } from './support/cli.ts';
import { storages, type Storage } from './support/stores.ts';

// Each finding is made by what it finds, and read as an operator does, at 80 columns.

async function storeOn(name: string): Promise<Storage> {
  const storage = await storages[name]?.();
  if (storage === undefined) throw new Error('no such storage');
  await (await storage.open()).create();
  return storage;
}

/** What doctor prints, with the line breaks of a terminal taken out again. */
async function diagnosed({ args, env }: Storage, code: number, more = env): Promise<string> {
  const ran = await run(['doctor', ...args], { columns: 80, env: more });
  const text = stripVTControlCharacters(ran.stdout + ran.stderr);
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([]);
  expect({ code: ran.code, text }).toEqual({ code, text });
  return text.replaceAll(/\n {4,}/g, ' ');
}

it('doctor finds what is unusual about a file of SQLite', async () => {
  const storage = await storeOn('sqlite');
  const path = storage.args[1]?.slice('sqlite:'.length) ?? '';
  chmodSync(path, 0o666);
  const [writer, reader] = [new Database(path), new Database(path)];
  onTestFinished(() => void [writer.close(), reader.close()]);
  writer.exec('drop index mcp_sessions_by_kind; create table large (content)');
  reader.exec('begin; select 1 from mcp_sessions');
  reader.prepare('select count(*) from mcp_sessions').get();
  for (let n = 0; n < 70; n++) writer.exec('insert into large values (zeroblob(1000000))');

  const text = await diagnosed(storage, 0);

  expect(text).toContain('file mode is 0666, so others can read sessions → chmod 0600 unless others');
  expect(text).toMatch(/write-ahead log has \d\d MiB → end the process that keeps a read transaction open/);
  expect(text).toContain('missing: mcp_sessions_by_kind → create them');
});

it('doctor finds a clock that differs, and a missing index of PostgreSQL', async () => {
  const storage = await storeOn('postgres');
  const sql = postgres(storage.env['MCP_SESSION_STORE'] ?? '', { max: 1 });
  onTestFinished(() => sql.end());
  await sql.unsafe(`drop index "${storage.args[1]}".mcp_sessions_by_kind`);
  const now = Date.now.bind(Date);
  const ahead = vi.spyOn(Date, 'now').mockImplementation(() => now() + 3_600_000);
  onTestFinished(() => ahead.mockRestore());

  const text = await diagnosed(storage, 0);

  expect(text).toMatch(/clock of the database is 3600 s behind this machine → synchronize the clocks/);
  expect(text).toContain('missing or invalid: mcp_sessions_by_kind → create them');
});

it('doctor names the rights that a role of PostgreSQL lacks, even if it has none', async () => {
  const storage = await storeOn('postgres');
  const schema = storage.args[1] ?? '';
  const url = new URL(storage.env['MCP_SESSION_STORE'] ?? '');
  const sql = postgres(url.href, { max: 1 });
  const role = `role_${crypto.randomUUID().slice(0, 8)}`;
  await sql.unsafe(`create role ${role} login password '${role}'`);
  onTestFinished(async () => {
    await sql.unsafe(`drop owned by ${role} cascade; drop role ${role}`);
    await sql.end();
  });
  [url.username, url.password] = [role, role];
  const rightsOf = async (code: number) => {
    const text = await diagnosed(storage, code, { MCP_SESSION_STORE: url.href });
    return /rights +(.*)/.exec(text)?.[1];
  };
  const remedy = '→ grant usage on the schema, select,';
  const tables = 'mcp_events, mcp_migrations, mcp_secrets, mcp_sessions, mcp_state, mcp_tasks, mcp_tokens, mcp_trims';

  expect(await rightsOf(4)).toContain(`this role may not use: ${tables}, the schema ${remedy}`);
  await sql.unsafe(`grant usage on schema "${schema}" to ${role}`);
  expect(await rightsOf(4)).toContain(`this role may not use: ${tables} ${remedy}`);
  await sql.unsafe(`grant select on all tables in schema "${schema}" to ${role}`);
  expect(await rightsOf(4)).toContain(`this role may not use: ${tables.replace('mcp_migrations, ', '')} ${remedy}`);
  await sql.unsafe(`grant insert, update, delete on all tables in schema "${schema}" to ${role}`);
  expect(await rightsOf(0)).toBe('this role may use all tables and functions');
  await sql.unsafe(`revoke execute on all functions in schema "${schema}" from public`);
  const functions = 'mcp_append_events, mcp_clear_state, mcp_commit_state';
  expect(await rightsOf(4)).toContain(`this role may not use: ${functions} ${remedy}`);
});

it('doctor finds what is missing on DynamoDB, also where it cannot list sessions', async () => {
  const storage = await storeOn('dynamodb');
  const client = new DynamoDBClient(dynamoDbConfig(inject('dynamodb').url));
  onTestFinished(() => client.destroy());
  const names = new URLSearchParams(storage.args[1]?.slice('dynamodb:?'.length));
  const [TableName, events] = [names.get('sessionsTable') ?? '', names.get('eventsTable') ?? ''];
  const off = { AttributeName: 'ttl', Enabled: false };
  await client.send(new UpdateTimeToLiveCommand({ TableName, TimeToLiveSpecification: off }));
  const { Table } = await client.send(new DescribeTableCommand({ TableName }));
  const [IndexName] = (Table?.GlobalSecondaryIndexes ?? []).map((index) => index.IndexName);
  await client.send(new UpdateTableCommand({ TableName, GlobalSecondaryIndexUpdates: [{ Delete: { IndexName } }] }));

  const text = await diagnosed(storage, 4);

  expect(text).toContain(`indexes of ${TableName} missing or not active: ${IndexName} → create them`);
  expect(text).toContain(`time to live of ${TableName} off → enable time to live`);
  expect(text).toContain(`Checks failed: indexes of ${TableName}`);
  await client.send(new DeleteTableCommand({ TableName: events }));
  expect(await diagnosed(storage, 4)).toContain(
    `table ${events} there is no such table → run mcp-session migrate --store …`,
  );
});

it('doctor does not take a DynamoDB that is away for one that refuses', { timeout: 60_000 }, async () => {
  await storages['dynamodb']?.();
  const { code, stdout, stderr } = await run([
    'doctor',
    '--store',
    'dynamodb:?region=us-east-1&endpoint=http://127.0.0.1:1',
  ]);

  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining('could not be reached'),
  });
});
