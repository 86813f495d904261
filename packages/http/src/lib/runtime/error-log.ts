import { SessionError } from '@mcp-session/core';

/** How long a cause is silent after it was written, in milliseconds. */
const SILENT_MS = 60_000;
/** How many causes are remembered. Beyond that, the one that was written first is forgotten. */
const MAX_CAUSES = 100;

/**
 * Writes errors to the console, each cause once a minute: a database that is down fails thousands
 * of requests, and one line says it. The next line of a cause says how many it stands for.
 *
 * @param clock Returns the present time in milliseconds.
 */
export function errorLog(clock: () => number = Date.now): (error: unknown) => void {
  const causes = new Map<string, { readonly until: number; silenced: number }>();
  return (error) => {
    const cause = causeOf(error);
    const known = causes.get(cause);
    const now = clock();
    if (known !== undefined && now < known.until) {
      known.silenced++;
      return;
    }
    causes.delete(cause);
    causes.set(cause, { until: now + SILENT_MS, silenced: 0 });
    const [oldest] = causes.keys();
    if (causes.size > MAX_CAUSES && oldest !== undefined) causes.delete(oldest);
    const what = error instanceof SessionError ? `${error.code} (${error.scope})` : 'unexpected error';
    const more = known === undefined || known.silenced === 0 ? '' : `, and ${known.silenced} more since the last line`;
    console.error(`@mcp-session/http: ${what}${more}`, error);
  };
}

function causeOf(error: unknown): string {
  if (error instanceof SessionError) return `${error.code} ${error.scope}`;
  return error instanceof Error ? `${error.name} ${error.message}` : String(error);
}
