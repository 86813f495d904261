import { SessionError } from '@mcp-session/core';
import { describe, expect, it } from 'vitest';
import { StoreHealth } from '../../src/lib/store/health.ts';
import { gate } from '../support/harness.ts';

const outage = new SessionError('STORE_UNAVAILABLE', 'Database is gone');

describe.each([true, false])('the status of a store, with onStoreError: degrade %s', (degrades) => {
  it('a call that began before an outage was over, and fails after it, begins no new one', async () => {
    const statuses: boolean[] = [];
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push(error);
    const health = new StoreHealth(degrades, ({ failing }) => void statuses.push(failing), onError);
    const late = gate();
    const slow = health.write(() => late.passed.then(() => Promise.reject(outage))).catch(() => 'failed');
    await health.read(() => Promise.reject(outage)).catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, degrades ? 501 : 1));
    await health.read(() => Promise.resolve());
    late.open();
    expect(await slow).toBe('failed');
    // Of work beside requests, nobody knows when it began.
    expect(health.shouldReport(outage)).toBe(!degrades);
    expect(statuses).toEqual([true, false]);
    expect(errors).toHaveLength(degrades ? 1 : 0);
    await health.write(() => Promise.reject(outage)).catch(() => undefined);
    expect(statuses).toEqual([true, false, true]);
  });
});
