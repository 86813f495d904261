import type { Studio } from '@mcp-session/studio';

/** What an operation answered. */
export interface Answer {
  readonly status: number;
  readonly body: never;
}

export const LOOPBACK = { remoteAddress: '127.0.0.1' };
const ORIGIN = 'http://localhost:4000';

/** A request of the page. */
export function requestOf(path: string, args?: unknown, headers: Readonly<Record<string, string>> = {}): Request {
  if (args === undefined) return new Request(`${ORIGIN}${path}`, { headers });
  const sent = { 'content-type': 'application/json', origin: ORIGIN, 'sec-fetch-site': 'same-origin', ...headers };
  return new Request(`${ORIGIN}${path}`, { method: 'POST', headers: sent, body: JSON.stringify(args) });
}

/** Calls an operation as the page does. */
export async function ask(studio: Studio, name: string, args: object = {}): Promise<Answer> {
  const response = await studio.fetch(requestOf(`/api/${name}`, args), LOOPBACK);
  return { status: response.status, body: (await response.json()) as never };
}
