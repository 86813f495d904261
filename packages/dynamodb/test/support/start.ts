import { createDynamoDbStore } from '@mcp-session/dynamodb';
import { optionsOf, type StorageArgument } from './storage.ts';

const store = await createDynamoDbStore(optionsOf(JSON.parse(process.argv[2] ?? '') as StorageArgument));
await store.create();
await store.close();
