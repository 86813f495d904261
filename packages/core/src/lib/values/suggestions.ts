/**
 * Finds the option that a wrong name means: by its other names, by its beginning, or by its
 * letters.
 */
export function suggestion(wrong: string, known: Readonly<Record<string, readonly string[]>>): string | undefined {
  const given = bare(wrong);
  const names = Object.keys(known);
  const meant = names.find((name) => bare(name) === given || known[name]?.some((other) => bare(other) === given));
  if (meant !== undefined) return meant;
  // A unit or a noun was left out or added: `keepAlive` for `keepAliveMs`.
  const begun =
    given.length < 3 ? [] : names.filter((name) => bare(name).startsWith(given) || given.startsWith(bare(name)));
  if (begun.length === 1) return begun[0];
  const [nearest] = names
    .map((name) => ({ name, away: distance(given, bare(name)) }))
    .filter(({ name, away }) => away <= Math.floor(Math.max(given.length, name.length) / 3))
    .toSorted((a, b) => a.away - b.away);
  return nearest?.name;
}

/** Removes case and separators, so that `touch_interval_ms` equals `touchIntervalMs`. */
function bare(name: string): string {
  return name.toLowerCase().replace(/[_\-\s]/g, '');
}

/**
 * How many letters must be changed, inserted, removed or swapped to turn one word into the other
 * (optimal string alignment).
 */
function distance(from: string, to: string): number {
  // A name may have any length, and the steps are the product of both lengths.
  if (from.length > 64) return Infinity;
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const swapped =
        from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1] ? (before[j - 2] ?? Infinity) + 1 : Infinity;
      next.push(Math.min(changed, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row.at(-1) ?? 0;
}
