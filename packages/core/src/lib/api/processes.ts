/** Tells whether processes that use a store have ended. */
export interface Processes {
  /**
   * Returns a text by which other processes on the same storage can find out that this one has
   * ended; `undefined` if they could not, for now.
   */
  identify(): Promise<string | undefined>;

  /**
   * Returns those of the processes that have certainly ended. Leaves out those that live, and those
   * of which it cannot be known.
   *
   * @param processes What {@link identify} has returned in them.
   */
  findEnded(processes: readonly string[]): Promise<ReadonlySet<string>>;
}

/** A store that may know about processes. */
export interface ProcessStore {
  /** `undefined` if the backend cannot tell that a process has ended. */
  readonly processes: Processes | undefined;
}

/**
 * Gives access to what a store knows about the processes that use it. For authors of transports: a
 * node that waits for another one learns at once that it was killed.
 *
 * @returns `undefined` if the backend cannot tell, as in memory and on DynamoDB.
 */
export function processesOf(store: object): Processes | undefined {
  return (store as Partial<ProcessStore>).processes;
}
