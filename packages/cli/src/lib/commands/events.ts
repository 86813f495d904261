import type { SessionEvent } from '@mcp-session/core';
import { findSession, type Context } from '../context.ts';
import { CliError } from '../failure.ts';
import type { Printer } from '../output/printer.ts';
import { cut, iso, printable } from '../output/text.ts';

interface EventsOptions {
  readonly kind?: string | undefined;
  readonly stream?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
  readonly follow?: boolean | undefined;
}

/** Shows the newest events of a session, or those after a cursor, and those that follow. */
export async function events(
  { printer, withStore, surroundings: { signal } }: Context,
  given: string,
  { kind, stream, after, limit, follow = false }: EventsOptions,
): Promise<void> {
  if (limit > 1_000) throw new CliError('--limit is at most 1000', 'Read on with --after and the id of an event.');
  await withStore(async (store) => {
    const log = (await findSession(store, given, kind)).events;
    let last = after;
    let count = 0;
    const shown = (event: SessionEvent) => {
      write(printer, event);
      last = event.id;
      count++;
    };
    if (after === undefined) for (const event of await log.recent(limit, stream)) shown(event);
    if (follow) {
      const place = { ...(last !== undefined && { after: last }), ...(stream !== undefined && { streamId: stream }) };
      for await (const event of log.tail({ ...place, signal: signal ?? new AbortController().signal })) shown(event);
    } else if (after !== undefined) {
      for await (const event of log.replay({ after, ...(stream !== undefined && { streamId: stream }) })) {
        shown(event);
        if (count === limit) break;
      }
    }
    if (count === 0 && !printer.json && signal?.aborted !== true) printer.line('No event.');
  });
}

/** One event a line; with `--json` one JSON document a line. */
function write(printer: Printer, { id, seq, streamId, createdAt, message }: SessionEvent): void {
  if (printer.json) {
    printer.document({ id, seq, streamId, createdAt: iso(createdAt), message });
    return;
  }
  const head = `${String(seq).padStart(5)}  ${iso(createdAt).slice(11, 23)}  ${printable(streamId)}  `;
  const rest = (printer.width ?? Infinity) - head.length;
  printer.styled(`${printer.style('dim', head)}${cut(printable(JSON.stringify(message)), Math.max(20, rest))}`);
}
