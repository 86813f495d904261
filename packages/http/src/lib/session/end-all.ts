import { checkOptions, type OptionNames } from '@mcp-session/core/backend';
import type { PlatformSessions } from '../store/platform-sessions.ts';
import type { AnyStore } from '../store/session-handle.ts';
import type { Journal } from '../reports/journal.ts';
import type { LocalSessions } from './local-sessions.ts';

/** Sessions of one page of a listing, whose records end at the same time. */
const PAGE_SESSIONS = 20;

/** Whose sessions to end. */
export interface EndAllOptions {
  /** The owner of the sessions; `null`: the sessions of nobody. Required. */
  readonly principal: string | null;
}

export interface EndAllContext {
  readonly store: AnyStore;
  readonly platformSessions: Pick<PlatformSessions, 'isUsed' | 'release'>;
  readonly journal: Journal;
}

const OPTIONS: OptionNames<EndAllOptions> = { principal: ['of', 'user', 'userId'] };

/**
 * Ends every session of a principal. The other nodes notice it, close the streams and abort the
 * handlers.
 *
 * Repeats until nothing is left to end: a session may begin meanwhile. A listing of the backend may
 * not show a session yet that this node has in memory, so those are ended by themselves.
 *
 * @returns How many sessions were ended.
 * @throws TypeError for unknown options, and without a principal.
 */
export async function endAll(
  { store, platformSessions, journal }: EndAllContext,
  locals: LocalSessions,
  options: EndAllOptions,
): Promise<number> {
  checkOptions(options, OPTIONS, 'endAll');
  let total = 0;
  for (let ended = -1; ended !== 0; total += ended) {
    if (platformSessions.isUsed) await releaseAll(store, platformSessions, options);
    ended = await store.endAll(options);
  }
  const ofPrincipal = locals.all().filter(({ session }) => session.principal === options.principal);
  for (const local of ofPrincipal) {
    if (await local.session.end()) total++;
    await platformSessions.release(local.session);
    await local.close('never');
  }
  journal.endedAll(total);
  return total;
}

/** From now on, no id of a platform leads to a session of the principal. */
async function releaseAll(
  store: AnyStore,
  platformSessions: EndAllContext['platformSessions'],
  { principal }: EndAllOptions,
): Promise<void> {
  let cursor: string | undefined;
  do {
    const page = await store.list({ principal, limit: PAGE_SESSIONS, cursor });
    await Promise.all(page.sessions.map((session) => platformSessions.release(session)));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}
