import { KeyedLock } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';

describe('KeyedLock', () => {
  it('starts work at once, and work under the same key in the order of the calls', async () => {
    const lock = new KeyedLock();
    const steps: string[] = [];
    const work = (name: string) => async (): Promise<string> => {
      steps.push(`${name} begins`);
      await Promise.resolve();
      steps.push(`${name} ends`);
      return name;
    };

    const all = [lock.run('a', work('1')), lock.run('a', work('2')), lock.run('b', work('3'))];
    expect(steps).toEqual(['1 begins', '3 begins']);

    expect(await Promise.all(all)).toEqual(['1', '2', '3']);
    expect(steps.filter((step) => !step.startsWith('3'))).toEqual(['1 begins', '1 ends', '2 begins', '2 ends']);
  });

  it('goes on after work that has failed', async () => {
    const lock = new KeyedLock();
    const failed = lock.run('a', () => Promise.reject(new Error('failed')));
    const next = lock.run('a', () => Promise.resolve('next'));

    await expect(failed).rejects.toThrow('failed');
    expect(await next).toBe('next');
    expect(await lock.run('a', () => Promise.resolve('last'))).toBe('last');
  });
});
