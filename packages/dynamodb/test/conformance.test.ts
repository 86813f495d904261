import { describeBackend } from '@mcp-session/conformance';
import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { inject } from 'vitest';
import { rowsOf } from './support/rows.ts';
import { newStorage, optionsOf } from './support/storage.ts';

describeBackend('dynamodb', () => {
  const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
  const open = () => createDynamoDbBackend(optionsOf({ url, prefix }));
  return {
    backend: open(),
    reopen: open,
    secondProcess: { module: new URL('support/second-process.ts', import.meta.url), argument: { url, prefix } },
    rows: () => rowsOf({ url, prefix }),
    dispose,
  };
});
