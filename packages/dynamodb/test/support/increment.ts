import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { optionsOf, type StorageArgument } from './storage.ts';

const [storage, sessionId, count] = process.argv.slice(2).map((arg) => JSON.parse(arg) as unknown) as [
  StorageArgument,
  string,
  number,
];
const store = await createDynamoDbStore(optionsOf(storage));
const session = await store.get(sessionId);
if (session === undefined) throw new Error('The session is not there');
await Promise.all(Array.from({ length: count }, () => session.state.update('n', (n = 0) => n + 1)));
await store.close();
