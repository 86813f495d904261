import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { LambdaResult } from '@mcp-session/http/lambda';

/** What a client gets. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Invocation {
  /** Which handler, as `buffered.handler`. */
  readonly handler: 'buffered.handler' | 'buffered.sweep' | 'streaming.handler';
  readonly event: unknown;
  readonly env: NodeJS.ProcessEnv;
  readonly remainingMs?: number;
  /**
   * Whether work that goes on behind the answer stands still forever. Default: there must be none.
   */
  readonly freeze?: boolean;
}

/**
 * Runs one invocation in a process of its own, which ends by itself: nothing is left open that
 * would keep it.
 */
async function run({ handler, event, env, remainingMs = 30_000, freeze = false }: Invocation): Promise<string> {
  const file = fileURLToPath(new URL('invocation.ts', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@mcp-session/source', file, ...handler.split('.')], {
    env: { ...process.env, ...env },
  });
  child.stdin.end(JSON.stringify({ event, remainingMs, freeze }));
  const [output, errors, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  if (code !== 0 || !/^took /m.test(errors)) throw new Error(`${handler} ended with ${String(code)}: ${errors}`);
  return output;
}

export async function invoke(invocation: Invocation): Promise<Answer> {
  const output = await run(invocation);
  if (invocation.handler === 'streaming.handler') return parseStream(output);
  const result = JSON.parse(output) as LambdaResult | null;
  return { status: result?.statusCode ?? 0, headers: result?.headers ?? {}, body: result?.body ?? '' };
}

function parseStream(output: string): Answer {
  const end = output.indexOf('\0'.repeat(8));
  const { statusCode, headers } = JSON.parse(output.slice(0, end)) as Pick<LambdaResult, 'statusCode' | 'headers'>;
  return { status: statusCode, headers, body: output.slice(end + 8) };
}

/** Messages of a response, be it JSON or a stream of events, with their ids. */
export function messagesOf({
  body,
  headers,
}: Answer): readonly { readonly id: string; readonly data: Record<string, unknown> }[] {
  if (headers['content-type']?.startsWith('application/json') === true) {
    return [{ id: '', data: JSON.parse(body) as Record<string, unknown> }];
  }
  return body.split('\n\n').flatMap((frame) => {
    const field = (name: string) =>
      frame
        .split('\n')
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2);
    const data = field('data');
    return data === undefined || data === ''
      ? []
      : [{ id: field('id') ?? '', data: JSON.parse(data) as Record<string, unknown> }];
  });
}
