import type { SessionsAnswer } from '../../src/lib/api/sessions.ts';
import type { StateKey } from '../../src/lib/api/state.ts';
import type { ListedFacts, SessionFacts } from '../../src/lib/facts.ts';
import type { ShownEvent } from '../../src/lib/values.ts';

export type { ListedFacts, SessionFacts, ShownEvent, StateKey };

/** A failure that the studio answers with. */
export class ApiError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** What each operation answers. */
export interface Answers {
  readonly about: { readonly backend: string; readonly durable: boolean; readonly readOnly: boolean };
  readonly kinds: { readonly kinds: readonly { readonly kind: string; readonly count: number }[] };
  readonly sessions: SessionsAnswer;
  readonly count: { readonly count: number };
  readonly session: {
    readonly session: SessionFacts;
    readonly metadata: unknown;
    readonly protocol: Readonly<Record<string, unknown>>;
    readonly now: number;
  };
  readonly state: { readonly keys: readonly StateKey[]; readonly total: number; readonly nextKey: string | null };
  readonly value: StateKey;
  readonly events: {
    readonly events: readonly ShownEvent[];
    readonly more: boolean;
    readonly lastSeq: number;
    readonly trimmedSeq: number;
  };
  readonly event: ShownEvent;
  readonly end: { readonly ended: boolean };
  readonly endAll: { readonly ended: number };
}

const TOKEN = 'mcp-session-studio-token';

/**
 * Takes the token from the fragment, which no browser sends anywhere, and removes it from the
 * address and the history.
 */
export function takeToken(): void {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token === undefined) return;
  sessionStorage.setItem(TOKEN, token);
  history.replaceState(null, '', location.pathname);
}

/** Calls an operation. Arguments are in the body, so that no id gets into a log. */
export async function call<Name extends keyof Answers>(
  name: Name,
  args: object = {},
  signal?: AbortSignal,
): Promise<Answers[Name]> {
  const response = await post(name, args, signal);
  return (await response.json()) as Answers[Name];
}

async function post(name: string, args: object, signal?: AbortSignal): Promise<Response> {
  const token = sessionStorage.getItem(TOKEN);
  const headers = { 'content-type': 'application/json', ...(token !== null && { authorization: `Bearer ${token}` }) };
  const init = { method: 'POST', headers, body: JSON.stringify(args), ...(signal && { signal }) };
  let response: Response;
  try {
    response = await fetch(`./api/${name}`, init);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new ApiError(0, 'OFFLINE', 'The studio does not answer');
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as { error?: { code?: string; message?: string } };
  const { code = `HTTP_${response.status}`, message = `The studio answers with status ${response.status}` } =
    body.error ?? {};
  throw new ApiError(response.status, code, message);
}

/** A frame of a live log. */
export type LiveFrame =
  | { readonly type: 'message'; readonly event: ShownEvent }
  | { readonly type: 'ready' | 'end' }
  | { readonly type: 'failure'; readonly code: string; readonly message: string };

/** The server says every 1.5 s that its store answers. Silence of this many milliseconds is a loss. */
const SILENCE_MS = 5_000;

/**
 * Follows a log. Ends when the session has ended, or the connection is lost.
 *
 * @throws ApiError `OFFLINE` after a silence.
 */
export async function* follow(
  id: string,
  after: string | undefined,
  signal: AbortSignal,
): AsyncGenerator<LiveFrame, void, undefined> {
  const silence = new AbortController();
  const wait = (): ReturnType<typeof setTimeout> => setTimeout(() => silence.abort(), SILENCE_MS);
  let timer = wait();
  try {
    const { body } = await post('live', { id, after }, AbortSignal.any([signal, silence.signal]));
    if (body === null) return;
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = wait();
      const parts = (text + value).split('\n\n');
      text = parts.pop() ?? '';
      for (const part of parts) {
        const frame = frameOf(part);
        if (frame !== undefined) yield frame;
      }
    }
  } catch (error) {
    if (silence.signal.aborted && !signal.aborted) throw new ApiError(0, 'OFFLINE', 'The studio does not answer');
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function frameOf(text: string): LiveFrame | undefined {
  const type = /^event: (\w+)$/m.exec(text)?.[1] ?? 'message';
  const data = /^data: (.*)$/m.exec(text)?.[1];
  if (data === undefined) return undefined;
  const value = JSON.parse(data) as never;
  if (type === 'message') return { type, event: value };
  if (type === 'failure') return { type, ...(value as { code: string; message: string }) };
  return type === 'ready' || type === 'end' ? { type } : undefined;
}
