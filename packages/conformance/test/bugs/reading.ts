import type { EventQuery, SessionBackend } from '@mcp-session/core/backend';
import { inMemory, type PlantedBug } from './bug.ts';
import { paged } from './pages.ts';

/** A backend that reads other events than it is asked for. */
function asked(change: (query: EventQuery) => EventQuery) {
  return (right: SessionBackend): Partial<SessionBackend> => ({
    readEvents: (query, now) => right.readEvents(change(query), now),
  });
}

export const readingBugs: readonly PlantedBug[] = [
  inMemory(
    'events.read.after',
    'gives the event of the cursor again',
    'numbers of a page after',
    asked((query) => ({ ...query, afterSeq: query.afterSeq && query.afterSeq - 1 })),
  ),

  inMemory(
    'events.read.newest',
    'gives the oldest where the newest are asked for',
    'of a page without afterSeq',
    asked((query) => ({ ...query, afterSeq: query.afterSeq ?? 0 })),
  ),

  inMemory(
    'events.read.newest',
    'gives the newest in the wrong order',
    'newest 3 of 10',
    paged((page, query) => (query.afterSeq === undefined ? { ...page, events: page.events.toReversed() } : page)),
  ),

  inMemory(
    'events.read.limit',
    'ignores the limit of a page',
    'numbers of a page of at most 1 of 10',
    asked((query) => ({ ...query, limit: 10_000 })),
  ),

  inMemory(
    'events.read.limit',
    'gives the last event and says that there is more before it only',
    'says that there is no more',
    paged((page) => ({ ...page, more: false })),
  ),

  inMemory(
    'events.read.bytes',
    'ignores the bytes of a page',
    'numbers of a page of at most 1 bytes',
    asked((query) => ({ ...query, maxBytes: 1e9 })),
  ),

  inMemory(
    'events.read.bytes',
    'gives an empty page where one event is too large',
    'numbers of a page of at most 1 bytes',
    paged((page, query) =>
      Buffer.byteLength(page.events[0]?.message ?? '') > query.maxBytes ? { ...page, events: [] } : page,
    ),
  ),

  inMemory(
    'events.read.pages',
    'stops a replay at 100 events without a word',
    'a walk over 2,500 events',
    paged((page) => (page.events.length > 100 ? { ...page, events: page.events.slice(0, 100), more: false } : page)),
  ),

  inMemory(
    'events.read.pages',
    'filters a stream out of each page of the log',
    'a walk over one of two streams',
    (right) => ({
      readEvents: async (query, now) => {
        const page = await right.readEvents({ ...query, streamId: undefined }, now);
        const events =
          page?.events.filter((row) => query.streamId === undefined || row.streamId === query.streamId) ?? [];
        return page && { ...page, events, more: page.more && events.length > 0 };
      },
    }),
  ),

  inMemory(
    'events.read.stream',
    'replays every stream to the reader of one',
    'numbers of the stream',
    asked((query) => ({ ...query, streamId: undefined })),
  ),

  inMemory('events.read.stream', 'folds stream ids to small letters', 'numbers of the stream', (right) => ({
    appendEvents: (batch, now) =>
      right.appendEvents(
        batch.map((request) => ({
          ...request,
          events: request.events.map((each) => ({ ...each, streamId: each.streamId.toLowerCase() })),
        })),
        now,
      ),
    readEvents: (query, now) => right.readEvents({ ...query, streamId: query.streamId?.toLowerCase() }, now),
  })),

  inMemory(
    'events.read.session',
    'finds sessions by the beginning of their ids',
    'messages of one of two sessions',
    (right) => {
      const ids: string[] = [];
      return {
        createSession: (session, now) => {
          ids.push(session.id);
          return right.createSession(session, now);
        },
        readEvents: async (query, now) => {
          const page = await right.readEvents(query, now);
          const others = ids.filter((id) => id !== query.sessionId && id.startsWith(query.sessionId));
          const more = await Promise.all(others.map((sessionId) => right.readEvents({ ...query, sessionId }, now)));
          return page && { ...page, events: [...page.events, ...more.flatMap((each) => each?.events ?? [])] };
        },
      };
    },
  ),

  inMemory(
    'events.read.cursor',
    'takes the stream of the cursor on trust',
    'afterStreamId where the event is not of the stream that is read',
    paged((page, query) => ({
      ...page,
      afterStreamId: query.streamId ?? page.afterStreamId,
    })),
  ),
];
