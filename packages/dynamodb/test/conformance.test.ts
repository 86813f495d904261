import { describeBackend } from '@mcp-session/conformance/vitest';
import { createDynamoDbBackend } from '@mcp-session/dynamodb';
import { inject } from 'vitest';
import { Proxy } from './support/proxy.ts';
import { ReadCommitted } from './support/read-committed.ts';
import { rowsOf } from './support/rows.ts';
import { newStorage, optionsOf } from './support/storage.ts';

let seed = 0;

// Not past the double: every third transaction becomes visible item by item, as DynamoDB allows,
// and the others as DynamoDB Local does them.
describeBackend('dynamodb', async () => {
  const { url, prefix, dispose } = newStorage(inject('dynamodb').url);
  const proxy = await Proxy.start(url);
  proxy.recording = false;
  proxy.intercept = new ReadCommitted(++seed, { mostMs: 8, share: 1 / 3 }).intercept;
  const through = { url: proxy.url, prefix };
  const open = () => createDynamoDbBackend(optionsOf(through));
  return {
    backend: await open(),
    reopen: open,
    secondProcess: { module: new URL('support/second-process.ts', import.meta.url), argument: through },
    rows: () => rowsOf({ url, prefix }),
    async dispose() {
      await proxy.close();
      await dispose();
    },
  };
});
