/** How long a cause is silent after it was written, in milliseconds. */
const SILENT_MS = 60_000;
/** How many causes are remembered before all of them are forgotten. */
const MAX_CAUSES = 100;

/** Writes errors to the console, each cause once a minute. */
export function errorLog(): (error: unknown) => void {
  const silentUntil = new Map<string, number>();
  return (error) => {
    const cause = error instanceof Error ? `${error.name} ${error.message}` : String(error);
    const now = Date.now();
    if (now < (silentUntil.get(cause) ?? 0)) return;
    if (silentUntil.size >= MAX_CAUSES) silentUntil.clear();
    silentUntil.set(cause, now + SILENT_MS);
    console.error('@mcp-session/studio:', error);
  };
}
