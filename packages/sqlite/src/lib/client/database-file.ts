import { statSync, type Stats } from 'node:fs';
import { SessionError } from '@mcp-session/core';
import type { Database } from 'better-sqlite3';

/** One look at the size of the write-ahead log in so many commits: a look takes microseconds. */
const LOOK_EVERY = 16;
/** A log that is larger is emptied. SQLite keeps it at a sixteenth of that where no reader is in its way. */
const MAX_LOG_BYTES = 67_108_864;
/** What SQLite leaves of the log when it begins it anew. */
const KEPT_LOG_BYTES = 16_777_216;
/** At the most so many looks lie between two tries to empty a log that a long reader needs. */
const MAX_LOOKS_APART = 1_024;
/** How long a try waits for readers to end. Writers wait behind it meanwhile. */
const EMPTY_TIMEOUT_MS = 20;

/** The file of a database that we opened ourselves, and the write-ahead log beside it. */
export class DatabaseFile {
  readonly #path: string;
  readonly #handle: Database;
  readonly #busyTimeoutMs: number;
  readonly #store: string;
  readonly #identity: Identity | undefined;
  #commits = 0;
  #nextLook = LOOK_EVERY;
  #looksApart = 1;

  /** @param path Absolute. What it names now is the file that the handle has opened. */
  constructor(path: string, handle: Database, busyTimeoutMs: number, store: string) {
    this.#path = path;
    this.#handle = handle;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#store = store;
    this.#identity = identify(path);
    handle.pragma(`journal_size_limit = ${KEPT_LOG_BYTES}`);
  }

  /**
   * Sees that the path still names the file that is open. What is written to another one is lost when the process ends. SQLite itself looks only before it writes
   * a rollback journal (`databaseIsUnmoved` in pager.c), which it never does in WAL mode.
   *
   * @throws SessionError `STORE_UNAVAILABLE`.
   */
  check(): void {
    const found = identify(this.#path);
    if (found !== undefined && found.dev === this.#identity?.dev && found.ino === this.#identity.ino) return;
    throw new SessionError(
      'STORE_UNAVAILABLE',
      'Session store was moved, deleted or replaced while it was open; put its file back, or open the store again',
      { store: this.#store },
    );
  }

  /** Counts a commit, and keeps the log from growing for ever beside readers that follow one another without a gap. */
  committed(): void {
    if (++this.#commits < this.#nextLook) return;
    const bytes = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const failed = bytes > MAX_LOG_BYTES && !this.#emptyLog();
    this.#looksApart = failed ? Math.min(this.#looksApart * 2, MAX_LOOKS_APART) : 1;
    this.#nextLook = this.#commits + this.#looksApart * LOOK_EVERY;
  }

  /** @returns Whether the log is empty. A reader that stays longer than the timeout keeps it. */
  #emptyLog(): boolean {
    try {
      // Most of the work without the lock that writers need, see sqlite.org/c3ref/wal_checkpoint_v2.html.
      this.#handle.pragma('wal_checkpoint(passive)');
      this.#handle.pragma(`busy_timeout = ${EMPTY_TIMEOUT_MS}`);
      return this.#handle.pragma('wal_checkpoint(truncate)', { simple: true }) === 0;
    } catch {
      // The commit is done, whatever became of this.
      return false;
    } finally {
      this.#handle.pragma(`busy_timeout = ${this.#busyTimeoutMs}`);
    }
  }
}

type Identity = Pick<Stats, 'dev' | 'ino'>;

function identify(path: string): Identity | undefined {
  return statSync(path, { throwIfNoEntry: false });
}
