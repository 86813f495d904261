import { StudioError } from '../answers.ts';
import { shownEvent, shownWhole, type ShownEvent } from '../values.ts';
import { sessionOf, type Operation } from './operation.ts';

/** Events of a page, at most. */
const MAX_PAGE = 500;

/** A page of a log, by the numbers of its events. */
export const events: Operation = {
  action: 'read',
  run: async (call) => {
    const { args } = call;
    const streamId = args.optionalText('streamId');
    const afterSeq = args.whole('afterSeq', 0, 0, Number.MAX_SAFE_INTEGER);
    const limit = args.whole('limit', 200, 1, MAX_PAGE);
    const page = await (await sessionOf(call)).events.page({ afterSeq, limit, streamId });
    const { more, lastSeq, trimmedSeq } = page;
    return { events: page.events.map(shownEvent) satisfies ShownEvent[], more, lastSeq, trimmedSeq };
  },
};

/** One event with its whole message. */
export const event: Operation = {
  action: 'read',
  run: async (call) => {
    const seq = call.args.whole('seq', 0, 1, Number.MAX_SAFE_INTEGER);
    const { events: found } = await (await sessionOf(call)).events.page({ afterSeq: seq - 1, limit: 1 });
    const [first] = found;
    if (first?.seq !== seq) throw new StudioError(404, 'EVENT_NOT_FOUND', 'Log does not have this event');
    const { id, streamId, createdAt, message } = first;
    return { id, seq, streamId, createdAt, ...shownWhole(message) };
  },
};
