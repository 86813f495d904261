import { describe, expect, it } from 'vitest';
import { codeOf } from '../support/errors.ts';
import { open } from '../support/open.ts';

describe('events.tail with onCaughtUp', () => {
  it('calls it when it has yielded everything stored, before it waits, and again after each later page', async () => {
    const { events } = await (await open()).store.create();
    await events.append('s', 1);
    let calls = 0;
    const tail = events.tail({ onCaughtUp: () => calls++ });

    expect((await tail.next()).value).toMatchObject({ message: 1 });
    expect(calls).toBe(0);
    const next = tail.next();
    await expect.poll(() => calls).toBe(1);
    await events.append('s', 2);
    expect((await next).value).toMatchObject({ message: 2 });
    void tail.next();
    await expect.poll(() => calls).toBe(2);
    await tail.return();
  });

  it('does not call it if the cursor cannot be followed', async () => {
    const { events } = await (await open()).store.create();
    let calls = 0;
    const id = await events.append('s', 1);
    const other = id.replace(/^1/, '2');

    expect(await codeOf(() => events.tail({ after: other, onCaughtUp: () => calls++ }).next())).toBe('INVALID_CURSOR');
    expect(calls).toBe(0);
  });
});
