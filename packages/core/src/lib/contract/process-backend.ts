/** What a backend may know about the processes that use its storage. */
export interface ProcessBackend {
  /**
   * Returns a text by which every backend on the same storage can find out that this process has
   * ended. It is the same for as long as the database is the same. A backend has this method and
   * {@link findEndedProcesses}, or neither.
   *
   * The text stands for something that ends with the process, or when the backend is closed, and
   * with nothing else, such as a lock or a session of the database. A process that hangs or is
   * suspended still has it.
   *
   * @returns `undefined` if the end of this process could not be known, for now.
   */
  identifyProcess?(): Promise<string | undefined>;

  /**
   * Finds out which processes have certainly ended, in one round trip. Leaves out those that live,
   * those of which it cannot be known, and texts that no backend has returned: what is left out is
   * decided by a lease.
   *
   * May leave out a process for half a second after its end, to be certain.
   *
   * @param processes What {@link identifyProcess} has returned in these processes.
   */
  findEndedProcesses?(processes: readonly string[]): Promise<ReadonlySet<string>>;
}
