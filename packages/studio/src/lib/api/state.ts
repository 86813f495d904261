import { StudioError } from '../answers.ts';
import { shown, shownWhole, type Shown } from '../values.ts';
import { sessionOf, type Operation } from './operation.ts';

/** Keys of a page, at most. */
const MAX_KEYS = 500;
/** A page ends early when its values have this length, in UTF-16 code units. */
const MAX_LENGTH = 1_048_576;

/** A key of a state as the page gets it. */
export interface StateKey extends Shown {
  readonly key: string;
  readonly version: number;
}

/** Keys of a state with their versions, in the order of their names. */
export const state: Operation = {
  action: 'read',
  run: async (call) => {
    const after = call.args.optionalText('afterKey');
    const entries = [...(await (await sessionOf(call)).state.snapshot())];
    const start = after === undefined ? 0 : entries.findIndex(([key]) => key > after);
    const keys: StateKey[] = [];
    let length = 0;
    for (const [key, { version, value }] of start === -1 ? [] : entries.slice(start, start + MAX_KEYS)) {
      const part = shown(value);
      keys.push({ key, version, ...part });
      length += part.text.length;
      if (length > MAX_LENGTH) break;
    }
    const more = start !== -1 && start + keys.length < entries.length;
    return { keys, total: entries.length, nextKey: more ? (keys.at(-1)?.key ?? null) : null };
  },
};

/** The whole value of a key. */
export const value: Operation = {
  action: 'read',
  run: async (call) => {
    const key = call.args.text('key');
    const entry = (await (await sessionOf(call)).state.snapshot()).get(key);
    if (entry === undefined) throw new StudioError(404, 'KEY_NOT_FOUND', 'Session has no such key');
    return { key, version: entry.version, ...shownWhole(entry.value) };
  },
};
