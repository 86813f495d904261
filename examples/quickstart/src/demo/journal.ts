import { EventEmitter, once } from 'node:events';

/** Events in the order in which they happen. Code can wait for one. */
export class Journal<T> {
  readonly entries: T[] = [];
  readonly #changes = new EventEmitter();

  add(entry: T): void {
    this.entries.push(entry);
    this.#changes.emit('change');
  }

  async until(reached: (entries: readonly T[]) => boolean, signal: AbortSignal): Promise<void> {
    while (!reached(this.entries)) await once(this.#changes, 'change', { signal });
  }
}
