import type { Context } from '../context.ts';
import { CliError, EXIT } from '../failure.ts';
import { counted } from '../output/text.ts';
import { choiceOf, type Choice } from './ls.ts';

interface EndOptions extends Choice {
  readonly yes?: boolean | undefined;
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
    // By their places, because what is no id can be an address with its password.
    const missing: number[] = [];
    for (const [index, id] of ids.entries()) {
      if ((await (await store.inspect(id))?.end()) !== true) missing.push(index + 1);
    }
    if (printer.json) printer.document({ ended: ids.length - missing.length, missing });
    else printer.line(`Ended ${counted(ids.length - missing.length, 'session')}.`);
    if (missing.length > 0) {
      throw new CliError(
        ids.length === 1
          ? 'There is no such session'
          : `There is no such session: number ${missing.join(', ')} of the ids`,
        'Give whole ids, as "mcp-session ls" prints them. They may have ended before.',
        EXIT.notFound,
      );
    }
  });
}
