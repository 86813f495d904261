import { openSync, readFileSync, writeSync } from 'node:fs';

/** A worker began a task. */
export interface Began {
  readonly kind: 'began';
  readonly id: string;
  readonly attempt: number;
  readonly at: number;
  /** The step that its checkpoint says. */
  readonly step: number;
}

/** A write of a worker was acknowledged. */
export interface Wrote {
  readonly kind: 'wrote';
  readonly id: string;
  readonly attempt: number;
  /** When the write was begun. */
  readonly from: number;
  readonly at: number;
  /** The step of a checkpoint; `undefined` for a status. */
  readonly step?: number;
}

/** A worker got an answer. */
export interface Used {
  readonly kind: 'used';
  readonly id: string;
  readonly attempt: number;
  readonly key: string;
  readonly answer: string;
}

/** A line of a history. Times are those of `clock` of the other histories. */
export type TaskLine = Began | Wrote | Used;

/** Writes a history so that every line survives a SIGKILL of its process. */
export class TaskHistory {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(line: TaskLine): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

/** Reads histories. The last line of a killed process may be incomplete. */
export function readTaskHistories(paths: readonly string[]): TaskLine[] {
  return paths.flatMap((path) =>
    readFileSync(path, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as TaskLine),
  );
}
