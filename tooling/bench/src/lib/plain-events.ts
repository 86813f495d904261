import { message } from './workload.ts';

/** Both SDKs' name for the stream of a session's GET. */
export const STANDALONE = '_GET_stream';

/** Id of an event of {@link plainEvents}. */
export function plainEventId(index: number): string {
  return `${STANDALONE}_${index}`;
}

interface PlainEvents {
  storeEvent(streamId: string, message: object): Promise<string>;
  replayEventsAfter(
    lastEventId: string,
    options: { send: (eventId: string, message: never) => Promise<void> },
  ): Promise<string>;
}

/**
 * Events of one session in an array, as in the SDKs' examples, with a number of events already on
 * the stream of its GET.
 */
export function plainEvents(count: number): PlainEvents {
  const events = Array.from({ length: count }, () => ({ streamId: STANDALONE, message: message() }));
  return {
    storeEvent: async (streamId, stored) => {
      events.push({ streamId, message: stored });
      return `${streamId}_${events.length - 1}`;
    },
    replayEventsAfter: async (lastEventId, { send }) => {
      const end = lastEventId.lastIndexOf('_');
      const streamId = lastEventId.slice(0, end);
      for (const [index, event] of events.entries()) {
        if (index > Number(lastEventId.slice(end + 1)) && event.streamId === streamId) {
          await send(`${streamId}_${index}`, event.message as never);
        }
      }
      return streamId;
    },
  };
}
