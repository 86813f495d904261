import type { ListedSession, ListSessionsOptions, SessionList } from '@mcp-session/core';
import { factsOf, listedFactsOf, type ListedFacts } from '../facts.ts';
import { sessionOf, type Call, type Operation } from './operation.ts';

/** Sessions of a page, at most. */
const MAX_PAGE = 500;
/** How many sessions one request of a search reads. The page asks again for more. */
const MAX_SCANNED = 5_000;
/** How long one request of a search goes on reading, in milliseconds. */
const MAX_SCAN_MS = 200;
/** Sessions that a search reads at a time. */
const STEP = 1_000;

/** A page of sessions. */
export interface SessionsAnswer {
  readonly sessions: readonly ListedFacts[];
  /** `null`: there are no more. */
  readonly nextCursor: string | null;
  /** How many sessions were read for it. */
  readonly scanned: number;
}

type Query = Pick<ListSessionsOptions, 'kind' | 'principal'>;

/** Lists sessions in the order of their ids, or finds those whose facts contain all words. */
export const sessions: Operation = {
  action: 'read',
  run: async (call): Promise<SessionsAnswer> => {
    const { args, options } = call;
    const query = queryOf(call);
    const limit = args.whole('limit', 100, 1, MAX_PAGE);
    const search = (args.optionalText('search') ?? '').trim();
    const cursor = args.optionalText('cursor') ?? startOf(args.whole('since', 0, 0, MAX_TIME));
    if (search === '') {
      const page = await options.store.list({ ...query, cursor, limit });
      return answerOf(page, page.sessions, page.sessions.length);
    }
    if (args.optionalText('cursor') === undefined) {
      const named = await byId(call, query, search, limit);
      if (named.length > 0) return { sessions: named, nextCursor: null, scanned: named.length };
    }
    return scan(call, query, search, cursor, limit);
  },
};

/** Counts sessions: all of a kind, or those of a principal. */
export const count: Operation = {
  action: 'read',
  run: async (call) => ({ count: await call.options.store.count(queryOf(call)) }),
};

/** All facts of one session. */
export const session: Operation = {
  action: 'read',
  run: async (call) => {
    const found = await sessionOf(call);
    const { metadata, protocol } = found;
    return { session: factsOf(found), metadata, protocol, now: Date.now() };
  },
};

export function queryOf({ args }: Call): Query {
  const kind = args.optionalText('kind');
  const principal = args.principal();
  return { ...(kind !== undefined && { kind }), ...(principal !== undefined && { principal }) };
}

/** Sessions whose id is the text, whatever their kind, or begins with it. */
async function byId({ options: { store } }: Call, query: Query, text: string, limit: number): Promise<ListedFacts[]> {
  const id = text.replace(/…$/, '');
  if (!/^[\x21-\x7e]{4,255}$/.test(id)) return [];
  const exact = await store.inspect(id);
  if (exact !== undefined) {
    // A list counts the events. Only the oldest are ever trimmed.
    const { lastSeq, trimmedSeq } = await exact.events.page({ limit: 1 });
    return [{ ...factsOf(exact), events: lastSeq - trimmedSeq }];
  }
  const page = await store.list({ ...query, cursor: id, limit });
  return page.sessions.filter((each) => each.id.startsWith(id)).map(listedFactsOf);
}

async function scan(
  { options: { store }, signal }: Call,
  query: Query,
  search: string,
  from: string | undefined,
  limit: number,
): Promise<SessionsAnswer> {
  const words = search.toLowerCase().split(/\s+/);
  const found: ListedSession<unknown>[] = [];
  const until = performance.now() + MAX_SCAN_MS;
  let scanned = 0;
  let cursor = from;
  for (;;) {
    const page: SessionList<unknown> = await store.list({ ...query, cursor, limit: STEP });
    for (const each of page.sessions) {
      scanned++;
      if (!matches(each, words)) continue;
      found.push(each);
      // The next page begins after this one.
      if (found.length === limit) return { sessions: found.map(listedFactsOf), nextCursor: each.id, scanned };
    }
    cursor = page.nextCursor;
    const enough = scanned >= MAX_SCANNED || performance.now() > until || signal.aborted;
    if (cursor === undefined || enough) return answerOf({ nextCursor: cursor }, found, scanned);
  }
}

function matches(each: ListedSession<unknown>, words: readonly string[]): boolean {
  const { client, protocolVersion, status } = listedFactsOf(each);
  const texts = [each.id, each.principal, client, protocolVersion, status, JSON.stringify(each.metadata)];
  const text = texts.join('\n').toLowerCase();
  return words.every((word) => text.includes(word));
}

function answerOf(
  { nextCursor }: Pick<SessionList<unknown>, 'nextCursor'>,
  found: readonly ListedSession<unknown>[],
  scanned: number,
): SessionsAnswer {
  return { sessions: found.map(listedFactsOf), nextCursor: nextCursor ?? null, scanned };
}

/** The greatest time that a UUID v7 holds, in Unix milliseconds (RFC 9562, section 5.7). */
const MAX_TIME = 2 ** 48 - 1;

/** A cursor before the generated ids of a time, which begin with it; 0: from the first id on. */
function startOf(since: number): string | undefined {
  if (since === 0) return undefined;
  const hex = since.toString(16).padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}`;
}
