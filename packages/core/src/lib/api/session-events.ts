import type {
  AppendOptions,
  EventPageOptions,
  ReplayOptions,
  TailOptions,
  TrimOptions,
} from '../options/event-options.ts';

/** An event of a session's log. */
export interface SessionEvent {
  /**
   * The id that `append` returned: visible ASCII, unique in its session, and a cursor of its
   * stream.
   */
  readonly id: string;
  /**
   * 1 for the session's first event, whatever its stream, and 1 more for each event that follows.
   */
  readonly seq: number;
  readonly streamId: string;
  /** The message as JSON holds it. */
  readonly message: unknown;
  /** Unix milliseconds. */
  readonly createdAt: number;
}

/** A page of a log, oldest first. */
export interface SessionEventPage {
  readonly events: readonly SessionEvent[];
  /** Whether there may be more after the last event of this page. */
  readonly more: boolean;
  /** Number of the newest event of the log at the moment of the read; 0 if there never was one. */
  readonly lastSeq: number;
  /** The greatest number that was trimmed from the stream, or from the whole log; 0 for none. */
  readonly trimmedSeq: number;
}

/**
 * The log of a session: messages on any number of streams, numbered through the session in the
 * order of their commits.
 *
 * Every method throws a SessionError `SESSION_NOT_FOUND` when the session has expired or was ended,
 * and `STORE_…` when the database fails.
 */
export interface SessionEvents {
  /**
   * Appends a message to a stream and resolves when it is committed. Calls of one process for one
   * session keep their order.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore();
   * const session = await store.create();
   * const id = await session.events.append('requests/1', { jsonrpc: '2.0', id: 1, result: {} });
   * console.log(session.events.streamOf(id)); // requests/1
   * await store.close();
   * ```
   *
   * @param streamId 1 to 255 visible ASCII characters.
   * @param message Any JSON value, `{}` included. Properties that are `undefined` are left out, as
   * on the wire.
   * @returns The event's id.
   * @throws SessionError `NOT_JSON`, `INVALID_STREAM_ID`, `EVENT_TOO_LARGE`; nothing is written
   * then.
   */
  append(streamId: string, message: unknown, options?: AppendOptions): Promise<string>;

  /**
   * Yields the events after a cursor, oldest first, over any number of pages, up to the newest
   * event at the start of the replay.
   *
   * @throws EventsTrimmedError `EVENTS_TRIMMED` if some of these events were trimmed. A replay
   * never skips events silently.
   * @throws SessionError `INVALID_CURSOR` if the id was never issued for this session and stream.
   */
  replay(options?: ReplayOptions): AsyncGenerator<SessionEvent, void, undefined>;

  /**
   * Yields the events after a cursor and then each event that any process appends, with no gap and
   * nothing twice. The reader sets the pace: the next page is read when the last one is used up.
   * The tail ends when the session ends or expires, the signal is aborted or the store is closed.
   * Waiting does not renew the session.
   *
   * @example
   * ```ts
   * import { createMemoryStore } from '@mcp-session/core/memory';
   *
   * const store = await createMemoryStore();
   * const { events } = await store.create();
   * const seen = await events.append('log', { line: 1 });
   * await events.append('log', { line: 2 });
   * for await (const { message } of events.tail({ after: seen })) {
   *   console.log(message); // { line: 2 }
   *   break;
   * }
   * await store.close();
   * ```
   *
   * @throws EventsTrimmedError `EVENTS_TRIMMED`, at any time, if the reader has fallen behind the
   * retention.
   * @throws SessionError `INVALID_CURSOR` if the id was never issued for this session and stream.
   */
  tail(options?: TailOptions): AsyncGenerator<SessionEvent, void, undefined>;

  /**
   * Reads the newest events, oldest first.
   *
   * @param limit Most events to return, 1 to 1,000. Default: 100. Fewer are returned if they exceed
   * 1 MiB.
   * @param streamId Only events of this stream. Default: the whole log.
   */
  recent(limit?: number, streamId?: string): Promise<SessionEvent[]>;

  /**
   * Reads one page of the log by the numbers of its events, for administration: a reader can start
   * anywhere, also where events were trimmed. A client's cursor belongs to `replay` and `tail`,
   * which never skip an event silently.
   *
   * @throws SessionError `INVALID_STREAM_ID`. RangeError for a number or a limit.
   */
  page(options?: EventPageOptions): Promise<SessionEventPage>;

  /**
   * Removes the oldest events of the log. Their numbers are never used again. A reader whose cursor
   * is older than what was removed from its stream gets `EVENTS_TRIMMED`.
   *
   * @returns How many events were removed.
   * @throws SessionError `INVALID_CURSOR` if `through` was never issued for this session.
   */
  trim(options: TrimOptions): Promise<number>;

  /**
   * Reads the stream from an event id, without asking the store.
   *
   * @returns `undefined` if the id was not issued for this session.
   */
  streamOf(eventId: string): string | undefined;
}
