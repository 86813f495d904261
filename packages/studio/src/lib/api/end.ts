import { StudioError } from '../answers.ts';
import { queryOf } from './sessions.ts';
import { sessionOf, type Call, type Operation } from './operation.ts';

/** The kind of the records of users. They begin anew under the same id. */
const USER_KIND = 'user';

/** Ends one session. */
export const end: Operation = {
  action: 'end',
  run: async (call) => {
    checkWritable(call);
    const session = await sessionOf(call);
    return { ended: await session.end({ keepId: session.kind !== USER_KIND }) };
  },
};

/** Ends all sessions of a kind that a principal has. */
export const endAll: Operation = {
  action: 'end',
  run: async (call) => {
    checkWritable(call);
    const { kind, principal } = queryOf(call);
    if (principal === undefined) {
      throw new StudioError(
        400,
        'INVALID_ARGUMENT',
        'Argument principal is missing; null means sessions without a principal',
      );
    }
    return { ended: await call.options.store.endAll({ principal, ...(kind !== undefined && { kind }) }) };
  },
};

function checkWritable({ options }: Call): void {
  if (options.readOnly) throw new StudioError(403, 'READ_ONLY', 'Studio is read-only: it ends no sessions');
}
