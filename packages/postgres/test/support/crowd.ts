// Appends to one session from several writers without a pause, until it is killed. Each line that
// it writes is an event that was acknowledged.
import { setTimeout as wait } from 'node:timers/promises';
import { createPostgresStore, type PostgresStoreOptions } from '@mcp-session/postgres';

const [given = '', id = '', name = ''] = process.argv.slice(2);
const store = await createPostgresStore({ ...(JSON.parse(given) as PostgresStoreOptions), sweep: false });

async function write(writer: string): Promise<never> {
  for (let n = 0; ; n++) {
    const message = `${writer}-${n}`;
    try {
      const session = await store.get(id);
      await session?.events.append('s', message);
      process.stdout.write(`${message}\n`);
    } catch (error) {
      // What failed may be there all the same, and is not tried again under this name.
      if (!(error instanceof Error && 'retryable' in error && error.retryable === true)) throw error;
      await wait(10);
    }
  }
}

await Promise.all(Array.from({ length: 4 }, (_, writer) => write(`${name}.${writer}`)));
