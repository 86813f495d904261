import type { EventPage, EventQuery, SessionBackend } from '@mcp-session/core/backend';
import type { Bug } from '../support/plant.ts';

/** A backend whose pages read other than they are. */
export function paged(
  change: (page: EventPage, query: EventQuery, right: SessionBackend, now: number) => EventPage | Promise<EventPage>,
): Bug {
  return (right: SessionBackend): Partial<SessionBackend> => ({
    readEvents: async (query, now) => {
      const page = await right.readEvents(query, now);
      return page && change(page, query, right, now);
    },
  });
}
