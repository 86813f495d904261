import type { Count, Section } from './result.ts';

/** What has missed its target in a section, in the words of its tables. */
export function missedTargets({ rows = [], facts = [], counts = [] }: Section): string[] {
  return [
    ...rows.flatMap(({ operation, ours, targetMs, beside }) =>
      targetMs === undefined
        ? beside
            .filter(({ ratio, target }) => target !== undefined && ratio < target)
            .map(({ name }) => `${operation}, compared with ${name}`)
        : ours.medianMs > targetMs
          ? [operation]
          : [],
    ),
    ...counts.filter(isAboveTheLeast).map(({ operation }) => operation),
    ...facts.filter(({ missed }) => missed === true).map(({ name }) => name),
  ];
}

function isAboveTheLeast({ ours, least }: Count): boolean {
  return ours.requests > least.requests || ours.read > least.read || ours.write > least.write;
}
