import type { SessionBackend, StateCommit } from '@mcp-session/core/backend';

/** A commit whose writes are others. */
export function changed(
  commit: StateCommit,
  change: (write: StateCommit['writes'][number]) => StateCommit['writes'][number],
): StateCommit {
  return { ...commit, writes: commit.writes.map(change) };
}

/** Commits key after key. */
export function oneByOne(right: SessionBackend, between: () => Promise<void>): SessionBackend['commitState'] {
  return async (commit, now) => {
    let result: Awaited<ReturnType<SessionBackend['commitState']>>;
    for (const write of commit.writes) {
      result = await right.commitState({ ...commit, writes: [write] }, now);
      if (result?.status !== 'committed') return result;
      await between();
    }
    return result;
  };
}
