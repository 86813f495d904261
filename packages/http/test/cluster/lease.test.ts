import type { SessionStore } from '@mcp-session/core';
import { createMemoryStore } from '@mcp-session/core/memory';
import { expect, it, onTestFinished } from 'vitest';
import { NodeLease } from '../../src/lib/cluster/lease.ts';
import { StoreHealth } from '../../src/lib/store/health.ts';
import { eventually } from '../support/harness.ts';

const WEEK_MS = 7 * 86_400_000;

function leaseOf(store: SessionStore): { readonly lease: NodeLease; readonly errors: readonly unknown[] } {
  const errors: unknown[] = [];
  const onError = (error: unknown): void => void errors.push(error);
  const health = new StoreHealth(false, () => undefined, onError);
  return { lease: new NodeLease(store, { nodeId: 'a', leaseMs: 30, health, onError }), errors };
}

it('a node that was idle until its record expired creates a new one', async () => {
  let now = 1_000_000;
  const store = await createMemoryStore({ sweep: false, clock: () => now });
  onTestFinished(() => store.close());
  const { lease, errors } = leaseOf(store);
  onTestFinished(() => lease.close());
  const renewed = async () => (await store.get('node-a', { kind: 'node' })) !== undefined;

  const end = lease.begin();
  await eventually(renewed);
  end();
  now += WEEK_MS;
  await store.sweep();
  expect(await renewed()).toBe(false);

  const since = Date.now();
  lease.begin();
  await eventually(async () => (await lease.runsUntil('a', undefined)) > since);
  expect(errors).toMatchObject([{ code: 'SESSION_NOT_FOUND' }]);
});

it('a node whose create succeeded without an answer uses that record', async () => {
  const store = await createMemoryStore({ sweep: false });
  onTestFinished(() => store.close());
  // As it is when the database commits and the answer is lost.
  await store.create({ id: 'node-a', kind: 'node', metadata: { leaseUntil: 1 } });
  const { lease, errors } = leaseOf(store);
  onTestFinished(() => lease.close());
  lease.begin();
  await eventually(async () => (await lease.runsUntil('a', undefined)) > 1);
  expect(errors).toEqual([]);
});
