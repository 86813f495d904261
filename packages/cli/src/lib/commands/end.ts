import type { Context } from '../context.ts';
import { CliError, EXIT } from '../failure.ts';
import { counted } from '../output/text.ts';
import { choiceOf, type Choice } from './ls.ts';

interface EndOptions extends Choice {
  readonly yes?: boolean | undefined;
}

/** An argument that is the id of no session. */
interface Missing {
  readonly id: string;
  /** Its place among the ids, from 1. */
  readonly place: number;
}

/** Ends sessions by their whole ids, or all of a principal with `--yes`. */
export async function end(
  context: Context,
  ids: readonly string[],
  { yes = false, ...choice }: EndOptions,
): Promise<void> {
  const { kind, principal } = choiceOf(choice);
  if ((ids.length === 0) === (principal === undefined)) {
    throw new CliError('Nothing says which sessions to end', 'Give their ids, or --principal, or --anonymous.');
  }
  if (principal === undefined) return endById(context, ids);
  const { printer, withStore } = context;
  await withStore(async (store) => {
    const query = { principal, ...(kind !== undefined && { kind }) };
    if (!yes) {
      const count = await store.count(query);
      throw new CliError(`This would end ${counted(count, 'session')}; nothing was ended`, 'Add --yes to end them.');
    }
    const ended = await store.endAll(query);
    if (printer.json) printer.document({ ended });
    else printer.line(`Ended ${counted(ended, 'session')}.`);
  });
}

async function endById({ printer, withStore }: Context, ids: readonly string[]): Promise<void> {
  await withStore(async (store) => {
    const missing: Missing[] = [];
    for (const [index, id] of ids.entries()) {
      if ((await (await store.inspect(id))?.end()) !== true) missing.push({ id, place: index + 1 });
    }
    const ended = ids.length - missing.length;
    if (printer.json) {
      const shown = missing.map(({ id }) => id).filter(isMadeId);
      printer.document({ ended, missing: shown, missingPlaces: missing.map(({ place }) => place) });
    } else printer.line(`Ended ${counted(ended, 'session')}.`);
    if (missing.length > 0) {
      throw new CliError(
        ids.length === 1 ? 'No such session' : `No such session: ${told(missing)}`,
        'Give whole ids, as "mcp-session ls" prints them. They may have ended before.',
        EXIT.notFound,
      );
    }
  });
}

/**
 * Whether core or the task store makes such ids. Any other text can be an address with its
 * password.
 */
function isMadeId(id: string): boolean {
  return /^(?:[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|task_[\w-]{22})$/i.test(id);
}

function told(missing: readonly Missing[]): string {
  const parts = missing.map(({ id }) => id).filter(isMadeId);
  const places = missing.filter(({ id }) => !isMadeId(id)).map(({ place }) => String(place));
  const last = places.pop();
  if (last === undefined) return parts.join(', ');
  const which = places.length === 0 ? `id ${last}` : `ids ${places.join(', ')} and ${last}`;
  return [...parts, `${which} of those given`].join(', ');
}
