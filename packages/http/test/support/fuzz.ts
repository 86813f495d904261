import { CURSORS, IDS, JSON_RPC, METHODS, REVISIONS, VALUES } from './fuzz-values.ts';
import { initialize } from './raw.ts';

/** Numbers from a seed, so that a run can be had again (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** From 0 to below 1. */
  roll(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  }

  one<T>(of: readonly T[]): T {
    return of[Math.floor(this.roll() * of.length)] as T;
  }

  chance(of: number): boolean {
    return this.roll() < of;
  }
}

/** What a request can be aimed at. */
export interface Targets {
  /** Sessions and cursors of the one who asks. */
  readonly own: { readonly ids: string[]; readonly cursors: readonly string[] };
  /** The same of somebody else. */
  readonly foreign: { readonly ids: readonly string[]; readonly cursors: readonly string[] };
}

export interface Shot {
  readonly method: string;
  /** As they go over the wire, in Latin-1. */
  readonly bytes: string;
  /** Whether the client ends its side behind it: what is left open can be no hang. */
  readonly last: boolean;
}

const TOOLS = ['echo', 'ask', 'note', 'none'];

function message(dice: Dice): string {
  if (dice.chance(0.06)) {
    return JSON.stringify({ ...initialize(dice.one(REVISIONS)), ...(dice.chance(0.3) && { params: {} }) });
  }
  if (dice.chance(0.5)) {
    return `{"jsonrpc":"2.0","id":${Math.floor(dice.roll() * 20)},"method":"tools/call","params":{"name":"${dice.one(TOOLS)}","arguments":{}}}`;
  }
  const fields = ['"jsonrpc":"2.0"'];
  if (dice.chance(0.75)) {
    fields.push(`"id":${dice.chance(0.6) ? String(Math.floor(dice.roll() * 20)) : dice.one(VALUES)}`);
  }
  if (dice.chance(0.85)) fields.push(`"method":${JSON.stringify(dice.one(JSON_RPC))}`);
  else {
    fields.push(
      dice.chance(0.5)
        ? `"result":${dice.one(VALUES)}`
        : `"error":{"code":${dice.one(VALUES)},"message":${dice.one(VALUES)}}`,
    );
  }
  if (dice.chance(0.85)) fields.push(`"params":${dice.chance(0.8) ? params(dice) : dice.one(VALUES)}`);
  if (dice.chance(0.05)) fields.push(`"__proto__":${dice.one(VALUES)}`);
  return `{${fields.join(',')}}`;
}

function params(dice: Dice): string {
  const name = dice.one(TOOLS);
  const value = dice.chance(0.7) ? '"x"' : dice.one(VALUES);
  return dice.one([
    `{"name":"${name}","arguments":{"text":${value}}}`,
    `{"name":"${name}","arguments":{"text":"x"},"_meta":{"progressToken":${dice.one(VALUES)}}}`,
    `{"requestId":${dice.one(VALUES)},"reason":${value}}`,
    `{"progressToken":${dice.one(VALUES)},"progress":${dice.one(VALUES)}}`,
    `{"level":${dice.chance(0.5) ? '"error"' : value}}`,
    `{"uri":${value}}`,
  ]);
}

function body(dice: Dice): string {
  const text = dice.chance(0.12)
    ? `[${Array.from({ length: Math.floor(dice.roll() * 6) }, () => message(dice)).join(',')}]`
    : message(dice);
  if (dice.chance(0.9)) return text;
  return dice.one([
    text.slice(0, Math.floor(dice.roll() * text.length)),
    `\u00ef\u00bb\u00bf${text}`,
    `\u00ff\u00fe${text.replaceAll(/./g, '$&\0')}`,
    `${text}${text}`,
    dice.one(VALUES),
    `[${Array.from({ length: 101 }, () => '{"jsonrpc":"2.0","id":1,"method":"ping"}').join(',')}]`,
    'x'.repeat(Math.floor(dice.roll() * 150_000)),
    `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
    '',
  ]);
}

/** One request, most of it right, so that it gets far. */
export function shoot(dice: Dice, { own, foreign }: Targets, token: string): Shot {
  if (dice.chance(0.02)) return garbage(dice);
  // The whole of somebody else's stream.
  const theirs = dice.chance(0.06);
  const method = theirs ? dice.one(['GET', 'GET', 'POST']) : dice.chance(0.75) ? 'POST' : dice.one(METHODS);
  const headers = new Map<string, string>([
    ['Host', dice.chance(0.97) ? 'localhost' : dice.one(['', 'evil.example', 'a b', '[::1]', 'x:99999'])],
  ]);
  if (dice.chance(0.97)) headers.set('Authorization', `Bearer ${token}`);
  if (dice.chance(0.98)) {
    headers.set(
      'Accept',
      dice.chance(0.9)
        ? 'application/json, text/event-stream'
        : dice.one(['*/*', 'text/html', '*/*;q=0', '', 'application/json']),
    );
  }
  if (dice.chance(0.95)) {
    headers.set(
      'Content-Type',
      dice.chance(0.93)
        ? 'application/json'
        : dice.one(['text/plain', 'application/json; charset=utf-16', 'APPLICATION/JSON', '', 'multipart/form-data']),
    );
  }
  if (dice.chance(0.97)) {
    headers.set(
      'Mcp-Session-Id',
      dice.chance(0.85) ? dice.one(own.ids) : dice.one([dice.one(foreign.ids), dice.one(IDS)]),
    );
  }
  if (dice.chance(0.6)) headers.set('Mcp-Protocol-Version', dice.chance(0.8) ? '2025-11-25' : dice.one(REVISIONS));
  if (dice.chance(0.3)) {
    headers.set('Last-Event-ID', dice.one([dice.one(own.cursors), dice.one(foreign.cursors), dice.one(CURSORS)]));
  }
  if (dice.chance(0.05)) headers.set('Origin', dice.one(['http://localhost', 'null', 'https://evil.example', '']));
  if (dice.chance(0.03)) headers.set('Content-Encoding', dice.one(['gzip', 'identity', 'br']));
  if (dice.chance(0.03)) {
    headers.set(
      dice.one(['Mcp-Session-Id ', 'X-A', 'Cookie', 'Sec-Fetch-Site', 'Transfer-Encoding', 'Upgrade']),
      dice.one(['x', 'a\tb', '\u00ff', 'cross-site', 'chunked, chunked', 'websocket']),
    );
  }
  if (theirs) {
    headers.set('Mcp-Session-Id', dice.one(foreign.ids));
    if (dice.chance(0.7)) headers.set('Last-Event-ID', dice.one(foreign.cursors));
  }
  const content = method === 'GET' || method === 'HEAD' ? '' : body(dice);
  const target = dice.chance(0.97)
    ? '/mcp'
    : dice.one(['*', '//', '/%00', 'http://x/mcp', '/mcp?a=%ff', `/${'x'.repeat(3_000)}`]);
  const lines = [`${method} ${target} HTTP/${dice.chance(0.98) ? '1.1' : dice.one(['1.0', '0.9', '2.0'])}`];
  for (const [name, value] of headers) lines.push(`${dice.chance(0.5) ? name : name.toLowerCase()}: ${value}`);
  if (dice.chance(0.02)) lines.push(`Mcp-Session-Id: ${dice.one(foreign.ids)}`);
  const last = dice.chance(0.02);
  if (content === '') return { method, bytes: `${lines.join('\r\n')}\r\nContent-Length: 0\r\n\r\n`, last };
  if (dice.chance(0.2)) {
    const half = Math.floor(content.length / 2);
    const chunks = [content.slice(0, half), content.slice(half)].filter((chunk) => chunk !== '');
    const framed = chunks.map((chunk) => `${chunk.length.toString(16)};x=y\r\n${chunk}\r\n`).join('');
    return { method, bytes: `${lines.join('\r\n')}\r\nTransfer-Encoding: chunked\r\n\r\n${framed}0\r\n\r\n`, last };
  }
  const wrong = dice.chance(0.01) ? 1 : 0;
  return {
    method,
    bytes: `${lines.join('\r\n')}\r\nContent-Length: ${content.length + wrong}\r\n\r\n${content}`,
    last: last || wrong > 0,
  };
}

function garbage(dice: Dice): Shot {
  const bytes = Array.from({ length: Math.floor(dice.roll() * 400) }, () =>
    String.fromCharCode(Math.floor(dice.roll() * 256)),
  ).join('');
  const text = dice.one([
    bytes,
    `POST /mcp HTTP/1.1\r\n${bytes}\r\n\r\n`,
    `POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n${bytes}`,
    '\r\n\r\n',
    'GET',
  ]);
  return { method: 'garbage', bytes: text, last: true };
}
