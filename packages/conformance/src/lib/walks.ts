import type { ListedRow, SessionBackend, SessionQuery } from '@mcp-session/core/backend';
import { NOW } from './actions.ts';
import { compareBytes, Finding, holds, same } from './findings.ts';

/** Reads all pages, and checks what holds for each page. */
export async function walkSessions(
  backend: SessionBackend,
  query: SessionQuery,
  {
    limit = 100,
    afterId,
    now = NOW,
  }: { readonly limit?: number; readonly afterId?: string; readonly now?: number } = {},
  between: (page: number) => Promise<void> = async () => {},
): Promise<ListedRow[]> {
  const rows: ListedRow[] = [];
  let from = afterId;
  for (let count = 0; count < 10_000; count += 1) {
    const page = await backend.listSessions({ ...query, afterId: from, limit }, now);
    holds(page.rows.length <= limit, `listSessions with limit ${limit} gave ${page.rows.length} rows`);
    rows.push(...page.rows);
    if (!page.more) {
      same(page.nextAfterId, undefined, 'nextAfterId of a page after which there is no more');
      return rows;
    }
    const next = page.nextAfterId;
    holds(next !== undefined, 'listSessions says that there is more but not where it goes on (nextAfterId)');
    holds(
      from === undefined || compareBytes(next, from) > 0,
      `listSessions after ${from} goes on at ${next}, which is not after it`,
    );
    from = next;
    await between(count);
  }
  throw new Finding('listSessions never came to an end, in 10,000 pages');
}

/** Sweeps until nothing is left. @returns The removed ids. */
export async function sweepAll(backend: SessionBackend, now: number, limit = 1_000): Promise<string[]> {
  const ids: string[] = [];
  for (let step = 0; step < 10_000; step += 1) {
    const swept = await backend.sweep(limit, now);
    ids.push(...swept.ids);
    if (swept.done) return ids;
  }
  throw new Finding('sweep never said that it was done, in 10,000 steps');
}
