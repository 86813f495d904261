import type { AnySchemas, ListedSession, Session, SessionStore } from '@mcp-session/core';
import { clientOf } from '@mcp-session/core/transport';
import type { Context } from '../context.ts';
import { CliError } from '../failure.ts';
import { iso, span } from '../output/text.ts';

/** Options that choose sessions. */
export interface Choice {
  readonly kind?: string | undefined;
  readonly principal?: string | undefined;
  readonly anonymous?: boolean | undefined;
}

interface LsOptions extends Choice {
  readonly limit: number;
  readonly cursor?: string | undefined;
}

/** Lists live sessions in the order of their ids, which is that of their creation. */
export async function ls({ printer, withStore }: Context, { limit, cursor, ...choice }: LsOptions): Promise<void> {
  await withStore(async (store) => {
    const { sessions, nextCursor } = await read(store, choiceOf(choice), limit, cursor);
    if (printer.json) {
      printer.document({
        sessions: sessions.map((each) => ({ ...factsOf(each), ...each.counts })),
        nextCursor: nextCursor ?? null,
      });
      return;
    }
    const now = Date.now();
    printer.table(
      [
        { title: 'ID' },
        { title: 'PRINCIPAL', flexible: true },
        { title: 'IDLE', align: 'right' },
        { title: 'EXPIRES', align: 'right' },
        { title: 'EVENTS', align: 'right' },
        { title: 'KEYS', align: 'right' },
      ],
      sessions.map((session) => [
        session.id,
        session.principal ?? '-',
        span(now - session.lastActiveAt),
        span(session.expiresAt - now),
        String(session.counts.events),
        String(session.counts.stateKeys),
      ]),
    );
    if (sessions.length === 0) printer.line('There is no such live session. Count the kinds with: mcp-session count');
    if (nextCursor !== undefined) printer.line(`\nThere are more. Continue with: --cursor ${nextCursor}`);
  });
}

/** Reads up to `limit` sessions, over any number of pages. */
async function read(store: SessionStore, choice: ReturnType<typeof choiceOf>, limit: number, from?: string) {
  const sessions: ListedSession<AnySchemas>[] = [];
  let cursor = from;
  do {
    const page = await store.list({ ...choice, cursor, limit: Math.min(1_000, limit - sessions.length) });
    sessions.push(...page.sessions);
    cursor = page.nextCursor;
  } while (cursor !== undefined && sessions.length < limit);
  return { sessions, nextCursor: cursor };
}

/** The options of a listing or a count. */
export function choiceOf({ kind, principal, anonymous = false }: Choice): {
  readonly kind?: string;
  readonly principal?: string | null;
} {
  if (anonymous && principal !== undefined) {
    throw new CliError('--anonymous and --principal exclude each other', 'Give one of them.');
  }
  return {
    ...(kind !== undefined && { kind }),
    ...(principal !== undefined && { principal }),
    ...(anonymous && { principal: null }),
  };
}

/** What `--json` says about a session. */
export function factsOf(session: Session): object {
  const { id, kind, principal, createdAt, lastActiveAt, expiresAt, lastSeq } = session;
  return {
    id,
    kind,
    principal,
    createdAt: iso(createdAt),
    lastActiveAt: iso(lastActiveAt),
    expiresAt: iso(expiresAt),
    lastSeq,
    client: clientOf(session.protocol) ?? null,
  };
}
