import type { SessionBackend } from '@mcp-session/core/backend';
import { describe, expect, it } from 'vitest';
import { gate, type Overrides } from '../support/intercept.ts';
import { open } from '../support/open.ts';
import { WaitingRoom } from '../../src/lib/append/waiting-room.ts';

function waitingFor(opened: Promise<void>) {
  return (inner: SessionBackend): Overrides => ({
    async appendEvents(batch, now) {
      await opened;
      return inner.appendEvents(batch, now);
    },
  });
}

describe('pending appends', () => {
  const MIB = 1_048_576;
  /** A message that takes so many bytes of the room. */
  const filling = (bytes: number) => 'x'.repeat(bytes - 252);

  it('may take 64 MiB in all, one session half of that; a refused append can be repeated later', async () => {
    const { opened, open: goOn } = gate();
    const { store } = await open({}, waitingFor(opened));
    const { events } = await store.create();

    const waiting = Array.from({ length: 4 }, () => events.append('s', filling(8 * MIB)));
    await expect(events.append('s', 1)).rejects.toMatchObject({
      code: 'STORE_BUSY',
      retryable: true,
      outcomeUnknown: false,
      scope: 'session',
    });
    goOn();
    await Promise.all(waiting);

    expect(await events.append('s', 1)).toMatch(/^5\./);
  });

  it('leave room for sessions with few of them, however many others there are', async () => {
    const { opened, open: goOn } = gate();
    const { store } = await open({}, waitingFor(opened));
    const greedy = await Promise.all(Array.from({ length: 5 }, () => store.create()));
    const waiting: Promise<string>[] = [];
    const refused = new Set<number>();
    for (let round = 0; refused.size < greedy.length; round++) {
      for (const [index, { events }] of greedy.entries()) {
        const work = events.append('s', filling(MIB));
        work.catch(() => refused.add(index));
        waiting.push(work);
        await Promise.resolve();
        await Promise.resolve();
      }
    }
    const others = await Promise.all(Array.from({ length: 5 }, () => store.create()));
    const fair = others.map(({ events }) => events.append('s', filling(MIB)));
    goOn();

    expect(await Promise.all(fair)).toHaveLength(5);
    const stored = (await Promise.allSettled(waiting)).filter(({ status }) => status === 'fulfilled').length;
    expect(stored).toBeGreaterThan(40);
  });

  it('accept one that is larger than the bound if nothing waits', () => {
    const room = new WaitingRoom();

    room.enter(0, 65 * MIB);
    expect(() => room.enter(0, 1)).toThrow(expect.objectContaining({ code: 'STORE_BUSY', scope: 'session' }));
    room.leave(65 * MIB);
    room.enter(0, 1);
  });
});
