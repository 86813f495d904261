import { randomUUID } from 'node:crypto';
import { KEY, STREAM } from '../lib/ours.ts';
import type { Subject, Subjects } from '../lib/store-cases.ts';

const TTL_MS = 1_800_000;
const MAX_EVENT_BYTES = 67_108_864;
const MAX_VALUE_BYTES = 1_048_576;
const MAX_EVENTS = 10_000;
const MAX_LOG_BYTES = 67_108_864;
const MAX_KEY_BYTES = 255;
const MAX_KEYS = 1_000;
const MAX_STATE_BYTES = 16_777_216;
const MAX_BYTES = 1_073_741_824;
const MAX_DEPTH = 1_000;
const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;

interface Entry {
  readonly text: string;
  readonly version: number;
  readonly bytes: number;
}

interface Event {
  readonly seq: number;
  readonly streamId: string;
  readonly message: string;
  readonly createdAt: number;
  readonly bytes: number;
}

interface Held {
  expiresAt: number;
  seq: number;
  readonly events: Event[];
  /** The same by stream, so that reading a stream costs what it returns. */
  readonly streams: Map<string, Event[]>;
  logBytes: number;
  readonly state: Map<string, Entry>;
  stateVersion: number;
  stateBytes: number;
}

/**
 * A plain Map of sessions by hand, behind asynchronous functions like every store, with the same
 * checks as ours: that the session is live, that names and values may be stored, and that sessions,
 * logs and the whole store stay below their bounds.
 */
export function rawMemory(): Subjects {
  const sessions = new Map<string, Held>();
  let total = 0;
  const reserve = (bytes: number): void => {
    if (total + bytes > MAX_BYTES) throw new Error('Full');
    total += bytes;
  };
  const use = (id: string): Held => {
    const now = Date.now();
    const session = sessions.get(id);
    if (session === undefined || session.expiresAt <= now) throw new Error(`Session ${id} is not live`);
    session.expiresAt = now + TTL_MS;
    return session;
  };
  const put = (session: Held, value: unknown): { readonly version: number; readonly text: string } => {
    checkKey(KEY);
    checkExact(value, 0);
    const text = JSON.stringify(value);
    const size = Buffer.byteLength(text);
    if (size > MAX_VALUE_BYTES) throw new Error('Too large');
    const before = session.state.get(KEY);
    const bytes = size + Buffer.byteLength(KEY);
    const more = bytes - (before?.bytes ?? 0);
    if (before === undefined && session.state.size + 1 > MAX_KEYS) throw new Error('Too many keys');
    if (session.stateBytes + more > MAX_STATE_BYTES) throw new Error('Too much state');
    reserve(more);
    session.stateBytes += more;
    const version = ++session.stateVersion;
    session.state.set(KEY, { text, version, bytes });
    return { version, text };
  };
  const take = (session: Held): unknown => {
    checkKey(KEY);
    const entry = session.state.get(KEY);
    return entry && (JSON.parse(entry.text) as unknown);
  };

  const subject = (id: string): Subject => ({
    append: async (message) => {
      if (!VISIBLE_ASCII.test(STREAM)) throw new Error('No stream id');
      const text = JSON.stringify(message);
      const bytes = Buffer.byteLength(text);
      if (bytes > MAX_EVENT_BYTES) throw new Error('Too large');
      const session = use(id);
      reserve(bytes);
      session.logBytes += bytes;
      const { events } = session;
      const event = { seq: ++session.seq, streamId: STREAM, message: text, createdAt: Date.now(), bytes };
      events.push(event);
      const stream = session.streams.get(STREAM);
      if (stream === undefined) session.streams.set(STREAM, [event]);
      else stream.push(event);
      if (events.length > MAX_EVENTS * 1.1 || session.logBytes > MAX_LOG_BYTES * 1.1) {
        throw new Error('A log of this benchmark never grows so long');
      }
      return `${session.seq}.${STREAM}`;
    },
    get: async () => take(use(id)),
    set: async (value) => put(use(id), value).version,
    update: async () => {
      const session = use(id);
      const value = take(session) as { readonly n: number };
      // The stored value, as a read would return it.
      return JSON.parse(put(session, { ...value, n: value.n + 1 }).text) as unknown;
    },
    replay: async () => {
      let count = 0;
      for (const { message } of use(id).streams.get(STREAM) ?? []) if (JSON.parse(message) !== undefined) count++;
      return count;
    },
  });

  return {
    create: async () => {
      const id = randomUUID();
      sessions.set(id, {
        expiresAt: Date.now() + TTL_MS,
        seq: 0,
        events: [],
        streams: new Map(),
        logBytes: 0,
        state: new Map(),
        stateVersion: 0,
        stateBytes: 0,
      });
      return subject(id);
    },
  };
}

function checkKey(key: string): void {
  if (key === '' || !key.isWellFormed() || Buffer.byteLength(key) > MAX_KEY_BYTES) throw new Error('No key');
}

/** Whether JSON would return the value unchanged. */
function checkExact(value: unknown, depth: number): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) return;
  if (typeof value !== 'object' || depth === MAX_DEPTH) throw new Error('Not JSON');
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== null && prototype !== Object.prototype) throw new Error('Not JSON');
  if (Object.getOwnPropertySymbols(value).length > 0) throw new Error('Not JSON');
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') throw new Error('Not JSON');
  for (const each of Object.values(value)) checkExact(each, depth + 1);
}
