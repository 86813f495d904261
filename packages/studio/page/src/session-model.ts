import { signal } from '@preact/signals';
import { ApiError, call, type Answers, type SessionFacts, type StateKey } from './api.ts';
import { LogModel } from './log-model.ts';
import { note } from './model.ts';
import { shortId } from './format.ts';

export type Tab = 'log' | 'state' | 'facts';

/** How often facts and state are read again, in milliseconds. */
const REFRESH_MS = 5_000;

/** One session that the page shows. */
export class SessionModel {
  readonly id: string;
  readonly facts = signal<Answers['session'] | undefined>(undefined);
  readonly keys = signal<readonly StateKey[] | undefined>(undefined);
  readonly totalKeys = signal(0);
  readonly nextKey = signal<string | null>(null);
  readonly isGone = signal(false);
  readonly log: LogModel;
  readonly #stop = new AbortController();
  #timer: ReturnType<typeof setInterval> | undefined;
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor(id: string, known: SessionFacts | undefined) {
    this.id = id;
    if (known !== undefined) this.facts.value = { session: known, metadata: {}, protocol: {}, now: Date.now() };
    this.log = new LogModel(id, this.#stop.signal, {
      onEvent: () => this.#refreshSoon(),
      onEnd: () => void this.refresh(),
    });
  }

  start(): void {
    void this.refresh();
    void this.log.start();
    this.#timer = setInterval(() => {
      if (!document.hidden) void this.refresh();
    }, REFRESH_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#stop.abort();
  }

  async refresh(): Promise<void> {
    if (this.isGone.value) return;
    const { id } = this;
    try {
      const [facts, state] = await Promise.all([
        call('session', { id }, this.#stop.signal),
        call('state', { id }, this.#stop.signal),
      ]);
      this.facts.value = facts;
      this.totalKeys.value = state.total;
      // More pages than the first stay as they were read.
      if (!isSame(this.keys.value, state.keys)) {
        this.keys.value = state.keys;
        this.nextKey.value = state.nextKey;
      }
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      if (error instanceof ApiError && error.code === 'SESSION_NOT_FOUND') this.isGone.value = true;
      else note(error);
    }
  }

  async moreKeys(): Promise<void> {
    const afterKey = this.nextKey.value;
    if (afterKey === null) return;
    const page = await call('state', { id: this.id, afterKey }, this.#stop.signal);
    this.keys.value = [...(this.keys.value ?? []), ...page.keys];
    this.nextKey.value = page.nextKey;
  }

  #refreshSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      void this.refresh();
    }, 300);
  }
}

/** Whether the first keys are those that are shown. A version belongs to one value. */
function isSame(shown: readonly StateKey[] | undefined, read: readonly StateKey[]): boolean {
  if (shown === undefined || shown.length < read.length || (read.length === 0 && shown.length > 0)) return false;
  return read.every(({ key, version }, index) => shown[index]?.key === key && shown[index].version === version);
}

/** The session that is open; `undefined`: none. */
export const open = signal<SessionModel | undefined>(undefined);
export const tab = signal<Tab>('log');

function show(id: string, known: SessionFacts | undefined): void {
  if (open.value?.id === id) return;
  open.value?.close();
  const model = new SessionModel(id, known);
  open.value = model;
  model.start();
}

/**
 * Opens a session. Its whole id is in the state of the history entry, which stays in this tab. The
 * address shows the part of the id that is no secret.
 */
export function openSession(session: SessionFacts): void {
  const replaces = open.value !== undefined;
  const address = `#/${encodeURIComponent(shortId(session.id).slice(0, -1))}`;
  history[replaces ? 'replaceState' : 'pushState']({ id: session.id }, '', address);
  show(session.id, session);
}

export function closeSession(): void {
  if (open.value === undefined) return;
  open.value.close();
  open.value = undefined;
  history.pushState(null, '', location.pathname);
}

/** Shows what the history entry names, or what its address begins with. */
export async function openFromHistory(): Promise<void> {
  const { id } = (history.state ?? {}) as { readonly id?: string };
  if (id !== undefined) {
    show(id, undefined);
    return;
  }
  const part = /^#\/(.{4,255})$/.exec(location.hash)?.[1];
  if (part === undefined) {
    open.value?.close();
    open.value = undefined;
    return;
  }
  const { sessions } = await call('sessions', { search: decodeURIComponent(part), limit: 2 });
  const [only, other] = sessions;
  if (only !== undefined && other === undefined) openSession(only);
}
