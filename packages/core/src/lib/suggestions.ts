import type { OptionNames } from './option-checks.ts';

/** The known option that is meant by a wrong name: by its other names, by how it begins, else by its letters. */
export function suggestion(wrong: string, known: OptionNames): string | undefined {
  const given = bare(wrong);
  const names = Object.keys(known);
  const meant = names.find((name) => bare(name) === given || known[name]?.some((other) => bare(other) === given));
  if (meant !== undefined) return meant;
  // A unit or a noun was left out or put on: `keepAlive` for `keepAliveMs`.
  const begun =
    given.length < 3 ? [] : names.filter((name) => bare(name).startsWith(given) || given.startsWith(bare(name)));
  if (begun.length === 1) return begun[0];
  const [nearest] = names
    .map((name) => ({ name, away: distance(given, bare(name)) }))
    .filter(({ name, away }) => away <= Math.floor(Math.max(given.length, name.length) / 3))
    .toSorted((a, b) => a.away - b.away);
  return nearest?.name;
}

/** Without case and word marks, so that `touch_interval_ms` is `touchIntervalMs`. */
function bare(name: string): string {
  return name.toLowerCase().replace(/[_\-\s]/g, '');
}

/** How many letters must be changed, put in or left out to turn one word into the other (Levenshtein). */
function distance(from: string, to: string): number {
  // A name of any length can come in, and this takes as many steps as both lengths multiplied.
  if (from.length > 64) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
