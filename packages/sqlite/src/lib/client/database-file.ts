import { statSync, type Stats } from 'node:fs';
import { SessionError } from '@mcp-session/core';
import type { Database } from 'better-sqlite3';

/** Commits between two checks of the size of the write-ahead log. A check takes microseconds. */
const LOOK_EVERY = 16;
/** A larger log is emptied. Without a long reader, SQLite keeps it at a sixteenth of this size. */
const MAX_LOG_BYTES = 67_108_864;
/** The size to which SQLite truncates the log when it restarts it. */
const KEPT_LOG_BYTES = 16_777_216;
/** Maximum number of checks between two attempts to empty a log that a long reader needs. */
const MAX_LOOKS_APART = 1_024;
/** How long an attempt waits for readers, in milliseconds. Writers wait behind it. */
const EMPTY_TIMEOUT_MS = 20;

/** The file of a database that we opened, and the write-ahead log beside it. */
export class DatabaseFile {
  readonly #path: string;
  readonly #handle: Database;
  readonly #busyTimeoutMs: number;
  readonly #store: string;
  readonly #identity: Identity | undefined;
  #commits = 0;
  #nextLook = LOOK_EVERY;
  #looksApart = 1;

  /** @param path Absolute path of the file that `handle` has just opened. */
  constructor(path: string, handle: Database, busyTimeoutMs: number, store: string) {
    this.#path = path;
    this.#handle = handle;
    this.#busyTimeoutMs = busyTimeoutMs;
    this.#store = store;
    this.#identity = identify(path);
    handle.pragma(`journal_size_limit = ${KEPT_LOG_BYTES}`);
  }

  /**
   * Checks that the path still names the open file. Writes to a file without a name are lost when
   * the process ends. SQLite itself checks only before it writes a rollback journal
   * (`databaseIsUnmoved` in pager.c), which it never does in WAL mode.
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

  /** Counts a commit. Keeps the log from growing without bound while readers overlap each other. */
  committed(): void {
    if (++this.#commits < this.#nextLook) return;
    const bytes = statSync(`${this.#path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    const failed = bytes > MAX_LOG_BYTES && !this.#emptyLog();
    this.#looksApart = failed ? Math.min(this.#looksApart * 2, MAX_LOOKS_APART) : 1;
    this.#nextLook = this.#commits + this.#looksApart * LOOK_EVERY;
  }

  /** @returns True if the log is empty now. A reader that outlasts the timeout keeps it. */
  #emptyLog(): boolean {
    try {
      // Does most of the work without the writers' lock (sqlite.org/c3ref/wal_checkpoint_v2.html).
      this.#handle.pragma('wal_checkpoint(passive)');
      this.#handle.pragma(`busy_timeout = ${EMPTY_TIMEOUT_MS}`);
      return this.#handle.pragma('wal_checkpoint(truncate)', { simple: true }) === 0;
    } catch {
      // The commit itself has succeeded.
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
