import type { SessionStore } from '@mcp-session/core';
import { factsOf, type StandaloneRecord, updateStandalone } from '../../src/lib/store/session-record.ts';

/** What a session keeps about its standalone stream. */
export async function recordOf(store: SessionStore, id: string): Promise<StandaloneRecord> {
  const session = await store.get(id);
  if (session === undefined) throw new Error('There is no such session');
  return factsOf(session).record.standalone;
}

/** Leaves the session as a node does that is killed while it owns the standalone stream. */
export async function leaveOwned(store: SessionStore, id: string, since: number = Date.now()): Promise<void> {
  const session = await store.get(id);
  if (session === undefined) throw new Error('There is no such session');
  await updateStandalone(session, (record) => ({
    ...record,
    epoch: record.epoch + 1,
    nodeId: '0123456789abcdef',
    since,
    written: undefined,
  }));
}
