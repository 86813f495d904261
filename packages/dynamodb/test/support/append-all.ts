import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { optionsOf, type StorageArgument } from './storage.ts';

const [storage, sessionId, writer, count] = process.argv.slice(2).map((arg) => JSON.parse(arg) as unknown) as [
  StorageArgument,
  string,
  string,
  number,
];
const store = await createDynamoDbStore(optionsOf(storage));
const session = await store.get(sessionId);
if (session === undefined) throw new Error('The session is not there');
for (let n = 0; n < count; n++) await session.events.append('x', { writer, n });
await store.close();
