import type { SessionEvent, SessionEvents } from './lib/api/session-events.ts';
import { invalidCursor } from './lib/events/event-id.ts';
import { kindOf } from './lib/values/option-checks.ts';
import { isPlainObject } from './lib/values/plain.ts';

/**
 * The event store that the transports of both official SDK lines ask for. It fits the `EventStore`
 * of `@modelcontextprotocol/sdk` 1.x and of `@modelcontextprotocol/server` 2.x by structure and
 * imports neither. `Message` is their `JSONRPCMessage`.
 */
export interface SessionEventStore<Message> {
  /**
   * Stores a message of a stream and resolves when it is committed.
   *
   * @returns The event's id.
   */
  storeEvent(streamId: string, message: Message): Promise<string>;
  /**
   * Reads the stream from an event id.
   *
   * @returns `undefined` if the id was not issued for this session. The SDK then answers 400.
   */
  getStreamIdForEventId(eventId: string): Promise<string | undefined>;
  /**
   * Sends the events after the given one on its stream, oldest first.
   *
   * @returns The stream's id.
   * @throws SessionError `INVALID_CURSOR`, `EVENTS_TRIMMED`. Nothing was sent then, unless events
   * were trimmed during the replay.
   */
  replayEventsAfter(
    lastEventId: string,
    options: { send: (eventId: string, message: Message) => Promise<void> },
  ): Promise<string>;
}

/**
 * Makes the event store of one session. Give each transport the event store of its own session: the
 * SDKs pass no session to it and call the standalone stream of every session `_GET_stream`, so a
 * shared one would hand one session's messages to another.
 *
 * The priming event that newer clients get is stored as the message `{}` (2025-11-25,
 * basic/transports). It is a cursor and never replayed.
 *
 * @throws TypeError if the value is no session, such as a store or the promise of a session.
 */
export function createEventStore<Message>(session: { readonly events: SessionEvents }): SessionEventStore<Message> {
  checkSession(session);
  const { events } = session;
  return {
    storeEvent: (streamId, message) => events.append(streamId, message),
    getStreamIdForEventId: async (eventId) => events.streamOf(eventId),
    async replayEventsAfter(lastEventId, { send }) {
      const streamId = events.streamOf(lastEventId);
      if (streamId === undefined) throw invalidCursor(lastEventId);
      for await (const event of events.replay({ after: lastEventId, streamId })) {
        if (!isPriming(event)) await send(event.id, event.message as Message);
      }
      return streamId;
    },
  };
}

function checkSession(value: unknown): void {
  const kind = kindOf(value);
  if (kind === 'a promise') throw new TypeError('Session of createEventStore is a promise; await the session first');
  const { events } = (value ?? {}) as { readonly events?: Partial<SessionEvents> };
  if (typeof events?.append !== 'function' || typeof events.replay !== 'function') {
    throw new TypeError(`Session of createEventStore is ${kind}, not a session, such as store.create gives`);
  }
}

/** Whether an event is a priming event: an id without a message. */
export function isPriming({ message }: Pick<SessionEvent, 'message'>): boolean {
  return isPlainObject(message) && Object.keys(message).length === 0;
}
