import type { ShownEvent } from './api.ts';

/** What an event of a log is. */
export type EventKind = 'request' | 'notification' | 'answer' | 'error' | 'mark' | 'other';

/** An event in words. */
export interface Explained {
  readonly kind: EventKind;
  /** A word or two, such as the method. */
  readonly title: string;
  /** What follows the title in a list. */
  readonly detail: string;
  /** What the event means, in a sentence or two. */
  readonly meaning: string;
}

type Json = Readonly<Record<string, unknown>>;

const GET_STREAM = '_GET_stream';
const NODES_STREAM = '_nodes';
const REQUEST_STREAM = /^req-(\d+)-\w+-[0-9a-z]+(?:-(?:(\d+)|_([\w-]+)))?$/;

/** A stream in words. */
export function streamName(streamId: string): string {
  if (streamId === GET_STREAM) return 'standalone stream';
  if (streamId === NODES_STREAM) return 'between nodes';
  const [whole, count, id, text] = REQUEST_STREAM.exec(streamId) ?? [];
  if (whole === undefined) return streamId;
  if (id !== undefined) return `request ${id}`;
  if (text !== undefined) return `request ${decoded(text)}`;
  return Number(count) === 1 ? 'request' : `batch of ${count}`;
}

/** What a stream is for. */
export function streamMeaning(streamId: string): string {
  if (streamId === GET_STREAM) {
    return 'Messages that belong to no request. The client receives them on a GET that it holds open.';
  }
  if (streamId === NODES_STREAM) {
    return 'Messages that the nodes of the server leave for each other. No client sees them.';
  }
  if (REQUEST_STREAM.test(streamId)) {
    return 'Everything that the server sent for one POST of the client, until each of its requests was answered.';
  }
  return 'A stream of the application.';
}

function decoded(base64url: string): string {
  try {
    const bytes = Uint8Array.from(atob(base64url.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
    return JSON.stringify(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return '';
  }
}

const known = new WeakMap<ShownEvent, Explained>();

/** Explains an event, once. */
export function explain(event: ShownEvent): Explained {
  let explained = known.get(event);
  if (explained === undefined) {
    explained = explainNow(event);
    known.set(event, explained);
  }
  return explained;
}

function explainNow({ text, size, streamId }: ShownEvent): Explained {
  if (text.length < size) return explainStart(text);
  const message = JSON.parse(text) as unknown;
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return plain(text);
  const json = message as Json;
  if ('jsonrpc' in json) return ofMessage(json, 'The server');
  return ofMark(json, streamId) ?? plain(text);
}

function plain(text: string): Explained {
  return { kind: 'other', title: 'event', detail: text.slice(0, 300), meaning: 'A message of the application.' };
}

/** A long message, of which only the beginning is known. */
function explainStart(text: string): Explained {
  const method = /"method":"([^"\\]{1,80})"/.exec(text)?.[1];
  const isRpc = text.includes('"jsonrpc":');
  if (!isRpc) return { ...plain(text), meaning: 'A long message. Open it to read all of it.' };
  const kind = method === undefined ? 'answer' : /"id":/.test(text) ? 'request' : 'notification';
  return { kind, title: method ?? 'answer', detail: text.slice(0, 300), meaning: 'A long message of the server.' };
}

function ofMessage(json: Json, sender: string): Explained {
  const { method, id, params, result, error } = json;
  const detail = (value: unknown): string => (value === undefined ? '' : JSON.stringify(value).slice(0, 300));
  if (typeof method === 'string') {
    if (id !== undefined) {
      const meaning = `${sender} asks for ${method} and waits for the answer to ${JSON.stringify(id)}.`;
      return { kind: 'request', title: method, detail: detail(params), meaning };
    }
    return {
      kind: 'notification',
      title: method,
      detail: detail(params),
      meaning: `${sender} says so and waits for no answer.`,
    };
  }
  if (error !== undefined) {
    const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
    const meaning = `${sender} answers request ${JSON.stringify(id)} with an error. The request is settled.`;
    return { kind: 'error', title: `error ${String(code)}`, detail: String(message), meaning };
  }
  const meaning = `${sender} answers request ${JSON.stringify(id)}. The request is settled.`;
  return { kind: 'answer', title: `answer to ${JSON.stringify(id)}`, detail: detail(result), meaning };
}

function mark(title: string, detail: string, meaning: string): Explained {
  return { kind: 'mark', title, detail, meaning: `A mark, which no client receives. ${meaning}` };
}

function ofMark(json: Json, streamId: string): Explained | undefined {
  const { opened, scopes, ended, closed, listener, challenged, forwarded, attended, event, from } = json;
  if (Array.isArray(opened)) {
    const ids = opened.map((id) => JSON.stringify(id)).join(', ');
    const rights = Array.isArray(scopes) ? ` Its token has the scopes ${scopes.join(', ')}.` : '';
    const meaning = `A client sent request ${ids}, and this stream began. The number of this event is the client's first cursor.${rights}`;
    return mark('stream opened', `for request ${ids}`, meaning);
  }
  if (typeof ended === 'string' || typeof ended === 'number') {
    return mark('request cancelled', JSON.stringify(ended), 'The client cancelled the request. It gets no answer.');
  }
  if (closed === true) {
    return mark(
      'connections closed',
      '',
      'The handler closed the connections of this stream. A client comes back with its cursor.',
    );
  }
  if (typeof listener === 'number') {
    return mark(
      'connection took over',
      `number ${listener}`,
      'A newer connection has the standalone stream. Earlier ones end here.',
    );
  }
  if (typeof challenged === 'number') {
    return mark(
      'connection challenged',
      `number ${challenged}`,
      'A client at another node wants the standalone stream, so its owner looks whether its own client is still there.',
    );
  }
  if (typeof forwarded === 'object' && forwarded !== null && streamId === NODES_STREAM) {
    const inner = ofMessage(forwarded as Json, 'The client');
    return mark(
      `client: ${inner.title}`,
      inner.detail,
      `One node received this from the client and left it for the node that waits for it. ${inner.meaning}`,
    );
  }
  if (typeof attended === 'string') {
    return mark(
      'client is there',
      streamName(attended),
      'A client has come back to a stream at another node, so the work for it goes on.',
    );
  }
  if (event !== undefined && typeof from === 'string') {
    return mark(
      'change event',
      JSON.stringify(event).slice(0, 300),
      'One node published it, and the others pass it on to their clients.',
    );
  }
  if (Object.keys(json).length === 0) {
    return mark('first cursor', '', 'It gives a client a cursor before the first message.');
  }
  return undefined;
}

/** A kind of sessions in words. */
export interface KindWords {
  readonly name: string;
  readonly meaning: string;
}

const KINDS: Readonly<Record<string, KindWords>> = {
  session: { name: 'Session', meaning: 'A session of a client, or of the application.' },
  user: { name: 'User', meaning: 'The record of one user: a state that all sessions and requests of the user share.' },
  task: {
    name: 'Task',
    meaning: 'A durable task. Its record is in the metadata, and what its worker is told is in the log.',
  },
  once: { name: 'Used request', meaning: 'A request state that was used. It is kept so that it cannot be used again.' },
  claim: {
    name: 'Stored request state',
    meaning: 'What a request state holds that is too large to travel with the client.',
  },
  bus: { name: 'Event bus', meaning: 'Change events that the nodes publish for each other.' },
  node: {
    name: 'Node',
    meaning: 'The lease of a node of the server. While it is renewed, the requests of the node count as running.',
  },
};

/** Every kind that this project does not use itself is that of handles or of the application. */
export function kindWords(kind: string): KindWords {
  if (Object.hasOwn(KINDS, kind)) return KINDS[kind] as KindWords;
  return { name: `Handle: ${kind}`, meaning: `State that clients name by an id which begins with ${kind}.` };
}
