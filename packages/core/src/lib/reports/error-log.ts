import { SessionError } from '../errors.ts';
import { type Logger, writeLine } from './logger.ts';

/** How long a cause is silent after it was written, in milliseconds. */
const SILENT_MS = 60_000;
/** How many causes are remembered. Beyond that, the one that was written first is forgotten. */
const MAX_CAUSES = 100;

/**
 * Lets each cause through once a minute: a database that is down fails thousands of requests, and
 * one line says it.
 */
export class Causes {
  readonly #clock: () => number;
  readonly #causes = new Map<string, { readonly until: number; silenced: number }>();

  /** @param clock Returns the present time in milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /**
   * @returns How many lines of the cause were left out since its last one; `undefined`: leave this
   * one out too.
   */
  next(cause: string): number | undefined {
    const known = this.#causes.get(cause);
    const now = this.#clock();
    if (known !== undefined && now < known.until) {
      known.silenced++;
      return undefined;
    }
    this.#causes.delete(cause);
    this.#causes.set(cause, { until: now + SILENT_MS, silenced: 0 });
    const [oldest] = this.#causes.keys();
    if (this.#causes.size > MAX_CAUSES && oldest !== undefined) this.#causes.delete(oldest);
    return known?.silenced ?? 0;
  }
}

/**
 * Gets an error that no caller waits for.
 *
 * @param work What failed, such as `sweep`, if the error does not say it.
 */
export type ErrorListener = (error: unknown, work?: string) => void;

/**
 * Writes errors to a logger, each cause once a minute. The next line of a cause says how many it
 * stands for.
 *
 * @param from The package that each line begins with.
 * @param logger `undefined`: the console.
 * @param clock Returns the present time in milliseconds.
 */
export function errorLog(from: string, logger: Logger | undefined, clock: () => number = Date.now): ErrorListener {
  const causes = new Causes(clock);
  return (error, work) => {
    const silenced = causes.next(work === undefined ? causeOf(error) : `${work} ${causeOf(error)}`);
    if (silenced === undefined) return;
    const { code, scope } = error instanceof SessionError ? error : { code: undefined, scope: undefined };
    const kind = code === undefined ? 'unexpected error' : `${code} (${scope})`;
    const what = work === undefined ? kind : `${work} failed: ${kind}`;
    const more = silenced === 0 ? '' : `, and ${silenced} more since the last line`;
    writeLine(logger ?? console, 'error', `${from}: ${what}${more}`, { err: error, ...(silenced > 0 && { silenced }) });
  };
}

function causeOf(error: unknown): string {
  if (error instanceof SessionError) return `${error.code} ${error.scope}`;
  return error instanceof Error ? `${error.name} ${error.message}` : String(error);
}
