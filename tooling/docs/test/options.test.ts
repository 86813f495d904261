import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '@mcp-session-tooling/workspace/packages';
import { optionTables } from '../src/options.ts';

/** Where the page explains the options of each type that the sources check the names of. */
const TITLES: Readonly<Record<string, string>> = {
  SessionHandlerOptions: 'The handler',
  SessionOptions: 'The handler',
  DualEraHandlerOptions: '`createDualEraHandler`',
  NodeHandlerOptions: '`toNodeHandler`',
  LambdaHandlerOptions: '`toLambdaHandler`',
  StoreEventBusOptions: '`createStoreEventBus`',
  SessionStoreOptions: 'Every store',
  MemoryBackendOptions: '`createMemoryStore`',
  SessionKindOptions: '`ofKind`',
  UserRecordOptions: '`forPrincipal`',
  HandleOptions: '`defineHandle`',
  RequestStateOptions: '`createRequestState`',
  SqliteBackendOptions: 'SQLite',
  PostgresBackendOptions: 'PostgreSQL',
  DynamoDbBackendOptions: 'DynamoDB',
  TaskStoreOptions: 'The task store',
  ServeTasksOptions: '`serveTasks`',
  TaskNotificationOptions: '`serveTaskNotifications`',
  V1TasksOptions: '`createV1Tasks`',
  TelemetryOptions: 'Telemetry',
  StudioOptions: 'The studio',
};

/** Options inside an option: the meaning of that one names them. */
const INSIDE: Readonly<Record<string, string>> = {
  StateLimitOptions: 'stateLimits',
  RetentionOptions: 'retention',
  SweepOptions: 'sweep',
  RequestStateKey: 'keys',
};

/** Where errors go. Several types have these options, from one table of names. */
const ERRORS = ['onError', 'logger'];

/** What one call takes. The API reference explains it. */
const OF_A_CALL: ReadonlySet<string> = new Set([
  'GetSessionOptions',
  'CreateSessionOptions',
  'ListSessionsOptions',
  'EndSessionOptions',
  'ReplayOptions',
  'TailOptions',
  'EventPageOptions',
  'AppendOptions',
  'TrimOptions',
  'CloseOptions',
  'EndAllOptions',
  'BroadcastOptions',
  'CreateTaskOptions',
  'TaskAccess',
  'WatchTaskOptions',
]);

/** The names of options that the packages accept, by type, from the tables of their checks. */
function acceptedNames(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>();
  for (const pkg of readdirSync(join(root, 'packages'))) {
    const src = join(root, 'packages', pkg, 'src');
    for (const file of readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))) {
      for (const [, type = '', body = ''] of readFileSync(join(src, file), 'utf8').matchAll(
        /: OptionNames<(\w+)(?:<[^=]*>)?> = \{(.*?)\};?$/gms,
      )) {
        const own = [...body.matchAll(/(?:^|[{,])\s*(\w+): \[/gm)].map(([, name = '']) => name);
        found.set(type, body.includes('...errorListenerOptions') ? [...own, ...ERRORS] : own);
      }
    }
  }
  return found;
}

const accepted = acceptedNames();
const tables = optionTables();

it('each type whose names are checked has its place on the page of the options', () => {
  const placed = [...Object.keys(TITLES), ...Object.keys(INSIDE), ...OF_A_CALL, 'ErrorListenerOptions'];

  expect([...accepted.keys()].toSorted()).toEqual(placed.toSorted());
});

it('the options for errors have these names', () => {
  expect(accepted.get('ErrorListenerOptions')).toEqual(ERRORS);
});

it.each([...new Set(Object.values(TITLES))])('the page has each option of %s that exists, and no other', (title) => {
  const types = Object.keys(TITLES).filter((type) => TITLES[type] === title);
  // Those of a backend are the store's, and are explained there.
  const inherited = title === 'DynamoDB' ? ERRORS : [];
  const names = types.flatMap((type) => accepted.get(type) ?? []).filter((name) => !inherited.includes(name));
  const rows = tables.filter((table) => table.title === title).flatMap((table) => table.rows);

  expect(rows.map(([name = '']) => name.replaceAll('`', '')).toSorted()).toEqual([...new Set(names)].toSorted());
});

it.each(Object.entries(INSIDE))('the page names each option of %s', (type, option) => {
  const meaning = tables.flatMap(({ rows }) => rows).find(([name]) => name === `\`${option}\``)?.[2];

  expect(meaning).toBeDefined();
  expect((accepted.get(type) ?? ['?']).filter((name) => meaning?.includes(`\`${name}\``) !== true)).toEqual([]);
});
