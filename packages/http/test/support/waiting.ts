import { gate, type Harness, type HarnessOptions, start } from './harness.ts';
import type { Line } from './line.ts';
import type { RawClient, RawResponse } from './raw.ts';

export const bearer = (sub: string) => ({ authorization: `Bearer https://issuer|${sub}` });

export interface Waiting extends Harness {
  /** Lets the calls of `wait` end. */
  open(): void;
  /** How many calls of `wait` have begun. */
  begun(): number;
  /** A client with a session. */
  begin(headers?: Record<string, string>): Promise<RawClient>;
}

/** A handler with a tool that waits, with and without a session. */
export async function startWaiting(line: Line, options: HarnessOptions): Promise<Waiting> {
  const { passed, open } = gate();
  let begun = 0;
  const wait = async (): Promise<string> => {
    begun++;
    await passed;
    return 'done';
  };
  const tools = { wait, echo: () => 'hello' };
  const harness = await start(line, { tools, withoutSession: 'stateless', stateless: () => ({ tools }), ...options });
  const begin = async (headers: Record<string, string> = {}): Promise<RawClient> => {
    const client = harness.raw({ ...headers });
    await client.begin();
    return client;
  };
  return { ...harness, open, begun: () => begun, begin };
}

export async function refusalOf(response: RawResponse): Promise<unknown[]> {
  return [response.status, response.headers.get('retry-after'), (await response.error()).message];
}

export const USER_HAS_TWO: readonly unknown[] = [
  429,
  '5',
  'Too Many Requests: user has more than 2 unanswered requests',
];
export const PROCESS_IS_FULL: readonly unknown[] = [503, '5', 'Too many requests are unanswered'];
