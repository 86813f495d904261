import { createSessionStore, type SessionBackend, type SessionChange } from '@mcp-session/core/backend';
import { createMemoryBackend } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { eventually, start } from '../support/harness.ts';
import { lines } from '../support/lines.ts';

/** A backend in memory that keeps the changes of sessions it was asked for. */
function recording(changes: SessionChange[]): SessionBackend {
  return new Proxy(createMemoryBackend(), {
    get(target, name: keyof SessionBackend) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (name === 'updateSession') changes.push(args[1] as SessionChange);
        return Reflect.apply(value, target, args);
      };
    },
  });
}

describe.each(lines)('a session with 200 KB of metadata, SDK $name', (line) => {
  it('opening and closing a GET writes a few hundred bytes', async () => {
    const changes: SessionChange[] = [];
    const store = await createSessionStore(recording(changes));
    const { raw } = await start(line, { store });
    const client = raw();
    await client.begin();
    const session = await store.get(client.headers['mcp-session-id'] ?? '');
    await session?.updateMetadata(() => ({ text: 'x'.repeat(200_000) }));
    changes.splice(0);

    for (let round = 1; round <= 2; round++) {
      const get = await client.get();
      expect(get.status).toBe(200);
      await get.cancel();
      await eventually(() => changes.length >= 2 * round);
    }
    for (const { profile, record } of changes) {
      expect(profile).toBeUndefined();
      expect(record?.text.length).toBeLessThan(1_000);
    }
  });
});
