import { randomUUID } from 'node:crypto';
import { KEY, STREAM } from '../lib/ours.ts';
import type { Subject, Subjects } from '../lib/store-cases.ts';

const TTL_MS = 1_800_000;
const MAX_EVENT_BYTES = 67_108_864;
const MAX_VALUE_BYTES = 1_048_576;
const MAX_EVENTS = 10_000;
const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;

interface Held {
  expiresAt: number;
  seq: number;
  readonly events: { seq: number; streamId: string; message: string; createdAt: number }[];
  readonly state: Map<string, string>;
}

/** A plain Map of sessions by hand: texts as JSON, limits and expiry checked, behind asynchronous functions as every store is. */
export function rawMemory(): Subjects {
  const sessions = new Map<string, Held>();
  const use = (id: string): Held => {
    const now = Date.now();
    const session = sessions.get(id);
    if (session === undefined || session.expiresAt <= now) throw new Error(`Session ${id} is not live`);
    session.expiresAt = now + TTL_MS;
    return session;
  };
  const encode = (value: unknown, max: number): string => {
    const text = JSON.stringify(value);
    if (Buffer.byteLength(text) > max) throw new Error('Too large');
    return text;
  };

  const subject = (id: string): Subject => ({
    append: async (message) => {
      if (!VISIBLE_ASCII.test(STREAM)) throw new Error('No stream id');
      const text = encode(message, MAX_EVENT_BYTES);
      const session = use(id);
      session.events.push({ seq: ++session.seq, streamId: STREAM, message: text, createdAt: Date.now() });
      if (session.events.length > MAX_EVENTS * 1.1) session.events.splice(0, session.events.length - MAX_EVENTS);
      return `${session.seq}.${STREAM}`;
    },
    get: async () => {
      const text = use(id).state.get(KEY);
      return text === undefined ? undefined : (JSON.parse(text) as unknown);
    },
    set: async (value) => {
      use(id).state.set(KEY, encode(value, MAX_VALUE_BYTES));
    },
    update: async () => {
      const { state } = use(id);
      const value = JSON.parse(state.get(KEY) ?? '{"n":0}') as { readonly n: number };
      state.set(KEY, encode({ ...value, n: value.n + 1 }, MAX_VALUE_BYTES));
    },
    replay: async () => {
      let count = 0;
      for (const { streamId, message } of use(id).events)
        if (streamId === STREAM && JSON.parse(message) !== undefined) count++;
      return count;
    },
  });

  return {
    create: async () => {
      const id = randomUUID();
      sessions.set(id, { expiresAt: Date.now() + TTL_MS, seq: 0, events: [], state: new Map() });
      return subject(id);
    },
  };
}
