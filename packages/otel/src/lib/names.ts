/** What stands for a name that is not counted by itself, as in OpenTelemetry's `error.type`. */
export const OTHER = '_OTHER';

/** How many names are known of which a call has succeeded. */
const MAX_PROVEN = 1_000;
/** How many names are known of which every call has failed. */
const MAX_TRIED = 100;

/**
 * The names of tools, prompts or methods that are values of attributes. Clients choose them, and
 * each one makes time series that a process keeps until it ends. So their number is bounded: calls
 * that succeed come from the application, and calls that fail can have any name.
 */
export class BoundedNames {
  readonly #proven = new Set<string>();
  readonly #tried = new Set<string>();

  /** @returns The name, or `_OTHER` if there are too many. */
  of(name: string, hasSucceeded: boolean): string {
    if (this.#proven.has(name)) return name;
    if (hasSucceeded) {
      this.#tried.delete(name);
      return take(this.#proven, name, MAX_PROVEN);
    }
    return take(this.#tried, name, MAX_TRIED);
  }
}

function take(names: Set<string>, name: string, max: number): string {
  if (!names.has(name) && names.size >= max) return OTHER;
  names.add(name);
  return name;
}
