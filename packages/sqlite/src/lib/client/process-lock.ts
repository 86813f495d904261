import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type Driver from 'better-sqlite3';
import type { Database } from 'better-sqlite3';

/** Files of ended processes that are older than this are removed, in milliseconds. */
const KEEP_MS = 86_400_000;
/** 16 random bytes in hexadecimal digits. */
const TOKEN = /^[0-9a-f]{32}$/;

/**
 * Shows other processes whether this one lives: by an exclusive lock of SQLite on a small file
 * beside the database.
 *
 * The kernel keeps the lock for as long as the process exists, also while it is suspended, and
 * releases it with the process, however that ends. It belongs to the file and not to a process id.
 * So a process id that is used again does not matter, nor do containers with process ids of their
 * own: they share the kernel, as SQLite in WAL mode needs anyway. Whatever prevents an answer, such
 * as a missing file, counts as a living process.
 */
export class ProcessLock {
  readonly #path: string;
  readonly #driver: typeof Driver;
  #token: string | undefined;
  #held: Database | undefined;

  /** @param path Absolute path of the database. */
  constructor(path: string, driver: typeof Driver) {
    this.#path = path;
    this.#driver = driver;
  }

  /** Takes the lock. @returns The token of its file; `undefined` if it cannot be made here. */
  take(): string | undefined {
    if (this.#token !== undefined) return this.#token;
    const token = randomBytes(16).toString('hex');
    const path = this.#fileOf(token);
    let file: Database | undefined;
    try {
      // Readable by the owner only, as the database is.
      closeSync(openSync(path, 'wx', 0o600));
      file = new this.#driver(path, { timeout: 0 });
      // Without a journal beside the file, which a killed process would leave.
      file.pragma('journal_mode = memory');
      file.exec('begin exclusive');
    } catch {
      file?.close();
      remove(path);
      return undefined;
    }
    this.#held = file;
    this.#token = token;
    this.#removeOld(path);
    return token;
  }

  /** Whether the process that took this lock has certainly ended. */
  isReleased(token: string): boolean {
    if (!TOKEN.test(token) || token === this.#token) return false;
    let file: Database | undefined;
    try {
      file = new this.#driver(this.#fileOf(token), { fileMustExist: true, readonly: true, timeout: 0 });
      // Needs a shared lock, which an exclusive one excludes (sqlite.org/lockingv3.html).
      file.exec('select count(*) from sqlite_schema');
      return true;
    } catch {
      return false;
    } finally {
      file?.close();
    }
  }

  /** Gives the lock up and removes its file: this process has closed the store and lives on. */
  release(): void {
    if (this.#token === undefined) return;
    const path = this.#fileOf(this.#token);
    // In this order: a file without a lock would count as that of an ended process. Windows removes
    // no file that is open.
    remove(path);
    this.#held?.close();
    remove(path);
    this.#held = undefined;
    this.#token = undefined;
  }

  #fileOf(token: string): string {
    return `${this.#path}-process-${token}`;
  }

  /** Removes files of processes that ended long before the given one was made. */
  #removeOld(path: string): void {
    const prefix = `${basename(this.#path)}-process-`;
    try {
      const { mtimeMs } = statSync(path);
      for (const name of readdirSync(dirname(path))) {
        const token = name.slice(prefix.length);
        if (!name.startsWith(prefix) || !TOKEN.test(token)) continue;
        const old = join(dirname(path), name);
        if (mtimeMs - statSync(old).mtimeMs > KEEP_MS && this.isReleased(token)) remove(old);
      }
    } catch {
      // Another process removes them too, or a later one will.
    }
  }
}

/** Removes a file if it is there and can be removed. */
function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A later process removes it.
  }
}
