import { createMemoryBackend, createMemoryStore } from '@mcp-session/core/memory';
import { describe, expect, it } from 'vitest';
import { open } from './support/open.ts';

describe('opening', () => {
  it('closes the backend if an option is wrong or migrating fails, and says why', async () => {
    let closed = 0;
    const close = (): Promise<void> => {
      closed++;
      return Promise.reject(new Error('and closing failed as well'));
    };

    await expect(open({ ttlMs: 0 }, () => ({ close }))).rejects.toThrow('Option ttlMs is 0');
    await expect(open({}, () => ({ close, migrate: () => Promise.reject(new Error('disk')) }))).rejects.toMatchObject({
      code: 'STORE_FAILED',
      cause: new Error('disk'),
    });
    expect(closed).toBe(2);
  });

  it('refuses invalid bounds of the in-memory backend', async () => {
    for (const value of [0, -1, 1.5, Number.NaN, Infinity]) {
      await expect(createMemoryStore({ maxSessions: value })).rejects.toThrow('Option maxSessions is');
      await expect(createMemoryStore({ maxBytes: value })).rejects.toThrow('Option maxBytes is');
    }
    // An option of the store would have no effect.
    expect(() => createMemoryBackend({ ttlMs: 1 } as object)).toThrow('Unknown option ttlMs');
  });
});
