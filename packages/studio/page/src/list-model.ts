import { effect, signal } from '@preact/signals';
import { call, type ListedFacts } from './api.ts';
import { countKinds, kinds, note, problem } from './model.ts';

/** Which sessions are listed. */
export interface Filter {
  readonly kind: string;
  /** `undefined`: of anyone; `null`: of nobody. */
  readonly principal: string | null | undefined;
  readonly search: string;
  /** The list begins with sessions of this age, in milliseconds; 0: with the oldest. */
  readonly ageMs: number;
}

export const filter = signal<Filter>({ kind: 'session', principal: undefined, search: '', ageMs: 0 });
export const rows = signal<readonly ListedFacts[]>([]);
/** Where the list goes on; `null`: it is complete; `undefined`: nothing was read yet. */
export const nextCursor = signal<string | null | undefined>(undefined);
export const isLoading = signal(false);
/** How many sessions a search has read. */
export const scanned = signal(0);
/** Place of the selected row. */
export const selected = signal(0);

const PAGE = 200;
let stop = new AbortController();
let wanted = 0;

/** Lists from the beginning. */
export function reload(change: Partial<Filter> = {}): void {
  stop.abort();
  stop = new AbortController();
  filter.value = { ...filter.value, ...change };
  rows.value = [];
  nextCursor.value = undefined;
  scanned.value = 0;
  selected.value = 0;
  wanted = PAGE;
  isLoading.value = false;
  void load(stop.signal);
}

/** Loads until the list has this many rows. */
export function need(count: number): void {
  wanted = Math.max(wanted, count);
  void load(stop.signal);
}

async function load(signal: AbortSignal): Promise<void> {
  if (isLoading.value) return;
  isLoading.value = true;
  try {
    while (rows.value.length < wanted && nextCursor.value !== null) {
      const { ageMs, principal, ...query } = filter.value;
      const place = nextCursor.value === undefined ? {} : { cursor: nextCursor.value };
      const since = ageMs === 0 ? 0 : Date.now() - ageMs;
      const args = { ...query, ...(principal !== undefined && { principal }), ...place, since, limit: PAGE };
      const page = await call('sessions', args, signal);
      if (signal.aborted) return;
      rows.value = [...rows.value, ...page.sessions];
      nextCursor.value = page.nextCursor;
      scanned.value += page.scanned;
      problem.value = undefined;
    }
  } catch (error) {
    if (!signal.aborted) note(error);
  } finally {
    if (!signal.aborted) isLoading.value = false;
  }
}

/** How often a page in trouble looks whether its store is back, in milliseconds. */
const RETRY_MS = 1_000;

let isRetrying = false;

/** Whether a failure passes by itself: no answer, or a store that is down. */
function passes(): boolean {
  const { value } = problem;
  return value !== undefined && (value.code === 'OFFLINE' || value.status >= 500);
}

/** Looks until the store is back. Then the banner goes, and the list goes on. */
async function retry(): Promise<void> {
  if (isRetrying) return;
  isRetrying = true;
  while (passes()) {
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    try {
      await call('sessions', { kind: filter.value.kind, limit: 1 }, AbortSignal.timeout(5_000));
      if (passes()) problem.value = undefined;
      need(0);
      if (kinds.value === undefined) void countKinds();
    } catch {
      // The banner says already why.
    }
  }
  isRetrying = false;
}

effect(() => {
  if (passes()) void retry();
});

/** Takes a session out of the list that has ended. */
export function forget(id: string): void {
  rows.value = rows.value.filter((row) => row.id !== id);
}
