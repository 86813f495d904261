import { setTimeout as pause } from 'node:timers/promises';
import {
  SessionError,
  type JsonValue,
  type SessionEvent,
  type SessionStore,
  type SessionStoreOptions,
} from '@mcp-session/core';
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

/** How long to wait before the next try when the store has failed, in milliseconds. */
const RETRY_MS = 1_000;

/** Shows the newest events of a session, or those after a cursor, and those that follow. */
export async function events(
  { printer, withStore, surroundings: { signal } }: Context,
  given: string,
  { kind, stream, after, limit, follow = false }: EventsOptions,
): Promise<void> {
  if (limit > 1_000) throw new CliError('--limit is at most 1000', 'Read on with --after and the id of an event.');
  const work = async (store: SessionStore): Promise<void> => {
    const log = (await findSession(store, given, kind)).events;
    let last = after;
    let count = 0;
    const shown = (event: SessionEvent) => {
      write(printer, event);
      last = event.id;
      count++;
    };
    const place = () => ({
      ...(last !== undefined && { after: last }),
      ...(stream !== undefined && { streamId: stream }),
    });
    if (after === undefined) for (const event of await log.recent(limit, stream)) shown(event);
    if (follow) {
      const stop = signal ?? new AbortController().signal;
      await persistently(stop, async () => {
        for await (const event of log.tail({ ...place(), signal: stop })) shown(event);
      });
      if (!stop.aborted) printer.note('The session has expired or was ended');
    } else if (after !== undefined) {
      for await (const event of log.replay({ after, ...place() })) {
        shown(event);
        if (count === limit) break;
      }
    }
    if (count === 0 && !follow && !printer.json) printer.line('No event.');
  };
  await withStore(work, follow ? outageNotes(printer) : undefined);
}

/** Repeats work while the store fails in a way that can pass. */
async function persistently(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      await work();
      return;
    } catch (error) {
      if (!(error instanceof SessionError && error.retryable)) throw error;
      await pause(RETRY_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Notes once that the store fails, and once that it works again. */
function outageNotes(printer: Printer): NonNullable<SessionStoreOptions['observe']> {
  let failing = false;
  return ({ name, code }) => {
    const fails = code === 'STORE_UNAVAILABLE' || code === 'STORE_BUSY';
    // A watch that cannot begin is no failure: reads find all events.
    if (fails === failing || name === 'watch') return;
    failing = fails;
    printer.note(fails ? `The store fails (${code}); waiting for it` : 'The store works again');
  };
}

/** One event a line; with `--json` one JSON document a line. */
function write(printer: Printer, { id, seq, streamId, createdAt, message }: SessionEvent): void {
  if (printer.json) {
    printer.document({ id, seq, streamId, createdAt: iso(createdAt), message });
    return;
  }
  const head = `${String(seq).padStart(5)}  ${iso(createdAt).slice(11, 23)}  ${printable(streamId)}  `;
  const rest = (printer.width ?? Infinity) - head.length;
  const text = JSON.stringify(rest === Infinity ? message : withoutVersion(message as JsonValue));
  printer.styled(`${printer.style('dim', head)}${cut(printable(text), Math.max(20, rest))}`);
}

/** Leaves out what is the same in each message and would take a third of a line. */
function withoutVersion(message: JsonValue): JsonValue {
  if (typeof message !== 'object' || message === null || !('jsonrpc' in message)) return message;
  const { jsonrpc: _, ...rest } = message;
  return rest;
}
