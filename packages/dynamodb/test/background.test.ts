import type { SessionBackend } from '@mcp-session/core/backend';
import { beforeEach, expect, it } from 'vitest';
import { openBehindProxy } from './support/open.ts';
import type { Proxy } from './support/proxy.ts';

const NOW = 1_800_000_000_000;
const DAY = 86_400_000;
/** Half a month is used up. */
const LATER = NOW + 16 * DAY;
const EVENTS = 250;

interface TransactItem {
  readonly Update?: { readonly Key: { readonly item: { readonly S: string } } };
}

let backend: SessionBackend;
let proxy: Proxy;
/** What the background work reports. */
let errors: unknown[];

/** Keys of the items whose time to live a request puts off; none, where it does something else. */
function putOff(body: Record<string, unknown>): readonly string[] {
  const items = (body['TransactItems'] ?? []) as readonly TransactItem[];
  const keys = items.map(({ Update }) => Update?.Key.item.S ?? 'head');
  return keys.includes('head') ? [] : keys;
}

beforeEach(async () => {
  const behind = await openBehindProxy();
  ({ proxy } = behind);
  errors = [];
  backend = await behind.open({ onError: (error) => void errors.push(error) });
  const session = { id: 's', kind: 'session', principal: null, profile: '{}', expiresAt: NOW + 20 * DAY };
  await backend.createSession(session, NOW);
  for (let n = 0; n < EVENTS; n += 50) await append(`t${n}`, 50, NOW, NOW + 20 * DAY);
});

async function append(token: string, count: number, now: number, expiresAt: number): Promise<void> {
  const events = Array.from({ length: count }, () => ({ streamId: 'x', message: '1', bytes: 1 }));
  await backend.appendEvents([{ sessionId: 's', token, events, expiresAt }], now);
}

it('no write waits until the time to live of old items is extended', async () => {
  const gate = Promise.withResolvers<void>();
  let reached = false;
  proxy.intercept = async (operation, body, pass) => {
    if (putOff(body).length > 0) {
      reached = true;
      await gate.promise;
    }
    return pass(operation, body);
  };
  await append('late', 1, LATER, LATER + 20 * DAY);
  await append('later', 1, LATER, LATER + 20 * DAY);
  await expect.poll(() => reached, { timeout: 10_000 }).toBe(true);
  gate.resolve();
  await backend.close();
  expect(errors).toEqual([]);
});

it('extending continues where it stopped, and closing does not wait for all of it', { timeout: 30_000 }, async () => {
  let left = 2;
  proxy.fault = (_operation, body) =>
    putOff(body).length > 0 && left-- <= 0 ? { kind: 'error', status: 400, name: 'ValidationException' } : undefined;
  const written = () => proxy.passed.flatMap(({ body }) => putOff(body));
  await append('late', 1, LATER, LATER + 20 * DAY);
  await expect.poll(() => left, { timeout: 10_000 }).toBe(-1);
  expect(written()).toHaveLength(200);
  await expect.poll(() => errors, { timeout: 10_000 }).toEqual([expect.objectContaining({ code: 'STORE_FAILED' })]);
  proxy.fault = () => undefined;
  await append('later', 1, LATER, LATER + 20 * DAY);
  // The other events, the profile and the tokens of six appends.
  await expect.poll(() => written().length, { timeout: 10_000 }).toBe(EVENTS + 6);
  expect(new Set(written()).size).toBe(EVENTS + 6);
  const startedAt = performance.now();
  await backend.close();
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
