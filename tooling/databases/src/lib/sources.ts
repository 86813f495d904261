import type { DatabaseName } from './kind.ts';

/** The ways to a test database, in the order in which they are tried. */
export const sourceNames = ['env', 'docker', 'embedded'] as const;

export type SourceName = (typeof sourceNames)[number];

/** The environment variable that forces one source for all databases. */
export const modeVariable = 'MCP_SESSION_TEST_DATABASES';

/** One way to a server. */
export interface Source<Server> {
  readonly name: SourceName;

  /**
   * Resolves with a server that answers. A rejection says why this source does not apply, and how
   * to make it work.
   */
  readonly open: () => Promise<Server>;
}

/** A source was requested by name and does not work, so no other one is tried. */
export class ForcedSourceError extends Error {
  override readonly name = 'ForcedSourceError';
}

/**
 * Reads the forced source.
 *
 * @param value Content of `MCP_SESSION_TEST_DATABASES`; empty is the same as not set.
 * @returns `undefined` when none is forced.
 * @throws RangeError for a value that is not the name of a source.
 */
export function parseMode(value: string | undefined): SourceName | undefined {
  if (value === undefined || value === '') return undefined;
  const mode = sourceNames.find((name) => name === value);
  if (mode !== undefined) return mode;
  const valid = sourceNames.map((name) => `"${name}"`).join(', ');
  throw new RangeError(`${modeVariable} is "${value}", which is none of ${valid}`);
}

/**
 * Opens the first source that works, or only the forced one.
 *
 * @param sources All sources, in their order.
 * @param forced Default: none, try each in turn.
 * @param log Receives one line: which source was chosen, and why the ones before it were not.
 * @throws ForcedSourceError if a requested source does not work.
 * @throws Error if none works. Its message gives the reason for each.
 */
export async function openFirst<Server extends { readonly product: string }>(
  database: DatabaseName,
  sources: readonly Source<Server>[],
  forced: SourceName | undefined,
  log: (line: string) => void,
): Promise<Server> {
  const failures: { name: SourceName; reason: string; error: unknown }[] = [];

  for (const { name, open } of sources) {
    if (forced !== undefined && name !== forced) continue;
    try {
      const server = await open();
      log(describeChoice(database, name, server.product, forced, failures));
      return server;
    } catch (error) {
      if (error instanceof ForcedSourceError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      if (name === forced) {
        throw new ForcedSourceError(`${modeVariable} is "${forced}", which does not work for ${database}: ${reason}`, {
          cause: error,
        });
      }
      failures.push({ name, reason, error });
    }
  }

  const reasons = failures.map(({ name, reason }) => `\n  ${name}: ${reason.replaceAll('\n', '\n    ')}`).join('');
  throw new AggregateError(
    failures.map(({ error }) => error),
    `No test database for ${database}: none of its three sources works${reasons}`,
  );
}

function describeChoice(
  database: DatabaseName,
  name: SourceName,
  product: string,
  forced: SourceName | undefined,
  failures: readonly { name: SourceName; reason: string }[],
): string {
  const because =
    forced === undefined
      ? failures.map((failure) => `${failure.name}: ${failure.reason.split('\n', 1)[0]}`).join('; ')
      : `${modeVariable} is "${forced}"`;
  return `test database ${database}: ${product}, source "${name}"${because === '' ? '' : ` (${because})`}`;
}
