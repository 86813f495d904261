import type { SessionBackend } from '@mcp-session/core/backend';
import { createSqliteBackend } from '@mcp-session/sqlite';
import { expect, it, onTestFinished } from 'vitest';
import { newFile } from './support/files.ts';

/** Sessions that are in use, the same in both stores. The others are at rest. */
const ACTIVE = 10;
const EVENTS_OF_AN_ACTIVE = 100;
const EVENTS_OF_A_RESTING = 1_000;
const MESSAGE = JSON.stringify('x'.repeat(100));

/** A store that holds so many events. */
async function filled(total: number): Promise<SessionBackend> {
  const path = await newFile();
  const filling = await createSqliteBackend({ path, synchronous: 'normal' });
  await filling.migrate();
  for (let n = 0; n < ACTIVE; n++) await fill(filling, `active-${n}`, EVENTS_OF_AN_ACTIVE);
  for (let left = total - ACTIVE * EVENTS_OF_AN_ACTIVE; left > 0; left -= EVENTS_OF_A_RESTING) {
    await fill(filling, `resting-${left}`, Math.min(left, EVENTS_OF_A_RESTING));
  }
  await filling.close();
  // Without the flush, behind which a cost that grows could hide.
  const backend = await createSqliteBackend({ path, synchronous: 'normal' });
  onTestFinished(() => backend.close());
  return backend;
}

async function fill(backend: SessionBackend, id: string, count: number): Promise<void> {
  const events = Array.from({ length: count }, (_, n) => newEvent(n % 2 === 0 ? 'main' : `request-${n}`));
  await backend.createSession({ id, kind: 'session', principal: null, profile: MESSAGE, expiresAt: 1e12 }, 1);
  await backend.appendEvents([{ sessionId: id, token: 'filling', events, expiresAt: undefined }], 1);
}

function newEvent(streamId: string) {
  return { streamId, message: MESSAGE, bytes: MESSAGE.length };
}

let calls = 0;

async function append(backend: SessionBackend): Promise<void> {
  calls++;
  const events = [newEvent('main')];
  await backend.appendEvents([{ sessionId: active(), token: `token-${calls}`, events, expiresAt: undefined }], 1);
}

async function read(backend: SessionBackend): Promise<void> {
  calls++;
  const afterSeq = EVENTS_OF_AN_ACTIVE - 41;
  await backend.readEvents({ sessionId: active(), streamId: 'main', afterSeq, limit: 20, maxBytes: 1e6 }, 1);
}

function active(): string {
  return `active-${calls % ACTIVE}`;
}

async function timed(operation: () => Promise<void>): Promise<number> {
  const start = performance.now();
  for (let n = 0; n < ACTIVE; n++) await operation();
  return performance.now() - start;
}

function median(samples: readonly number[]): number {
  return samples.toSorted((a, b) => a - b)[samples.length >>> 1] ?? 0;
}

/**
 * How many times as much the operation takes on the large store, sampled in turn so that the noise
 * of the machine meets both.
 */
async function growth(stores: readonly SessionBackend[], operation: (store: SessionBackend) => Promise<void>) {
  const samples = stores.map(() => [] as number[]);
  for (let round = 0; round < 150; round++) {
    for (const [index, store] of stores.entries()) samples[index]?.push(await timed(() => operation(store)));
  }
  const [small = 0, large = 0] = samples.map(median);
  return large / small;
}

it('append and read cost the same with 1,000,000 stored events as with 1,000', { timeout: 120_000 }, async () => {
  const stores = [await filled(1_000), await filled(1_000_000)];
  for (const operation of [append, read]) {
    const ratios: number[] = [];
    // Noise can only be met by measuring again. A cost that grows is there each time, and with
    // 1,000 times the events it is far more than twice as high.
    while (ratios.length < 3 && Math.min(...ratios) > 2) ratios.push(await growth(stores, operation));
    expect(Math.min(...ratios), `${operation.name}: ${ratios.join(', ')}`).toBeLessThanOrEqual(2);
  }
});
