import { setTimeout as pause } from 'node:timers/promises';
import type { Json } from './line.ts';
import { type Frame, RawClient, type SseReader } from './raw.ts';

/** How long a machine that does much else may take. */
const PATIENCE_MS = 20_000;

/**
 * Takes its own standalone stream over, again and again, while it still reads from the former
 * connection: what is said from then on must come on the new one and on no other. No client of the
 * SDKs reads from two.
 *
 * @returns How often it came that far. What went wrong otherwise was killed or cut off.
 */
export async function haunt(url: URL, over: () => boolean, violations: string[]): Promise<number> {
  const client = await begin(url);
  let [cursor, former, rounds]: [string | undefined, SseReader | undefined, number] = [undefined, undefined, 0];
  for (let n = 1; !over(); n++) {
    const what = `ghost ${n}`;
    try {
      const { status, sse, cancel } = await client.get({ 'last-event-id': cursor });
      if (status !== 200) {
        await cancel();
        await pause(100);
        continue;
      }
      const late = former === undefined ? Promise.resolve([]) : within(framesOf(former), `${what} was not closed`);
      former = sse;
      const said = say(client, what);
      // What ends this round can end them as well.
      for (const each of [late, said]) each.catch(() => undefined);
      for (let heard: unknown; heard !== what;) {
        const { id, message } = await told(sse, said, what);
        cursor = id;
        heard = (message['params'] as Json | undefined)?.['data'];
      }
      await said;
      if ((await late).some(({ data }) => data?.includes(`"${what}"`))) {
        violations.push(`${what} came on a former stream`);
      }
      rounds++;
    } catch (error) {
      if (error instanceof Overdue) violations.push(error.message);
      await former?.cancel().catch(() => undefined);
      former = undefined;
      await pause(50);
    }
  }
  await former?.cancel().catch(() => undefined);
  return rounds;
}

class Overdue extends Error {}

/**
 * @throws Where the call was not answered: the node that ran it was killed, perhaps before it had
 * said anything.
 */
async function say(client: RawClient, what: string): Promise<void> {
  const frames = await (await client.callTool('say', { what })).sse.rest();
  if (!frames.some(({ data }) => data?.includes('"result"'))) throw new Error(`${what} was not said`);
}

/** The next message, which has to come once it is known that there is one. */
async function told(sse: SseReader, said: Promise<void>, what: string): ReturnType<SseReader['message']> {
  const message = sse.message();
  message.catch(() => undefined);
  // Without an answer there may be nothing to wait for.
  await Promise.race([message, said]);
  return within(message, `${what} was not told`);
}

async function begin(url: URL): Promise<RawClient> {
  for (;;) {
    const client = new RawClient(url);
    const id = await client.begin().catch(() => '');
    if (id !== '') return client;
  }
}

/** All that a connection still gives, until it is closed or breaks. */
async function framesOf(sse: SseReader): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (;;) {
    const frame = await sse.next().catch(() => undefined);
    if (frame === undefined) return frames;
    frames.push(frame);
  }
}

async function within<T>(what: Promise<T>, otherwise: string): Promise<T> {
  const abort = new AbortController();
  const late = pause(PATIENCE_MS, undefined, { signal: abort.signal }).then(() =>
    Promise.reject(new Overdue(otherwise)),
  );
  try {
    return await Promise.race([what, late]);
  } finally {
    abort.abort();
    late.catch(() => undefined);
  }
}
