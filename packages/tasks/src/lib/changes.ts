/** What the bus carries when a task has changed. It holds nothing of the task but its id. */
export interface TaskChanged {
  readonly kind: 'task_changed';
  readonly taskId: string;
}

/**
 * An event bus that carries changes of tasks between nodes: `createStoreEventBus` of
 * `@mcp-session/http/v2`. A handler can have the same one; it ignores events of tasks.
 */
export interface TaskBus {
  publish(event: { readonly kind: string }): void;
  subscribe(listener: (event: { readonly kind: string }) => void): () => void;
  /**
   * Resolves when everything published is stored, and events that other nodes publish from now on
   * are received.
   */
  settled?(): Promise<void>;
}

/** How often a task that only says what it does is published, at most, in milliseconds. */
const PROGRESS_MS = 250;

/** What each task store tells its watchers. */
export const changesOf: WeakMap<object, TaskChanges> = new WeakMap();

/** Wakes those who watch a task, on this node and, with a bus, on the others. */
export class TaskChanges {
  readonly bus: TaskBus | undefined;
  readonly #listeners = new Map<string, Set<() => void>>();
  /** Tasks whose progress was just published. `true`: there is more since then. */
  readonly #resting = new Map<string, boolean>();
  #unsubscribe: (() => void) | undefined;

  constructor(bus: TaskBus | undefined) {
    this.bus = bus;
  }

  /** A task has changed. */
  changed(taskId: string): void {
    const event: TaskChanged = { kind: 'task_changed', taskId };
    if (this.bus === undefined) this.#wake(taskId);
    else this.bus.publish(event);
  }

  /** A task says something new about what it does. Of many in a row, the last one is published. */
  progressed(taskId: string): void {
    if (this.#resting.has(taskId)) {
      this.#resting.set(taskId, true);
      return;
    }
    this.changed(taskId);
    this.#resting.set(taskId, false);
    setTimeout(() => {
      const more = this.#resting.get(taskId) === true;
      this.#resting.delete(taskId);
      if (more) this.progressed(taskId);
    }, PROGRESS_MS).unref();
  }

  /**
   * Calls the listener after each change, once changes on other nodes are received.
   *
   * @returns A function that ends it.
   */
  async listen(taskId: string, listener: () => void): Promise<() => void> {
    const listeners = this.#listeners.get(taskId) ?? new Set();
    this.#listeners.set(taskId, listeners.add(listener));
    this.#unsubscribe ??= this.bus?.subscribe((event) => {
      const { kind, taskId: id } = event as Partial<TaskChanged>;
      if (kind === 'task_changed' && id !== undefined) this.#wake(id);
    });
    await this.bus?.settled?.();
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0 || this.#listeners.get(taskId) !== listeners) return;
      this.#listeners.delete(taskId);
      if (this.#listeners.size > 0) return;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    };
  }

  #wake(taskId: string): void {
    for (const listener of this.#listeners.get(taskId) ?? []) listener();
  }
}
