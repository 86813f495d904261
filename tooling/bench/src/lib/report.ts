import { chart, chartTitle } from './chart.ts';
import { duration, ratio, verdict } from './format.ts';
import type { Machine } from './machine.ts';
import { missedTargets } from './missed.ts';
import type { Beside, Count, Fact, Row, Section } from './result.ts';

/** When and how a report was measured. */
export interface Run {
  readonly machine: Machine;
  readonly date: string;
  /** The load average over one minute. */
  readonly load: { readonly before: number; readonly after: number };
  readonly command: string;
  /** Why targets are missed: Markdown by the section's id. Shown only if a target is missed. */
  readonly notes: ReadonlyMap<string, string>;
}

/** A file of the report: its name in the folder of the documents, and its content. */
export interface ReportFile {
  readonly name: string;
  readonly text: string;
}

/** The report as Markdown, and its charts. */
export function writeReport(sections: readonly Section[], run: Run): ReportFile[] {
  const charts = sections.flatMap((section) => {
    const svg = chart(section);
    return svg === undefined ? [] : [{ name: `benchmarks-${section.id}.svg`, text: svg }];
  });
  const named = new Set(charts.map(({ name }) => name));
  const parts = sections.map((section) =>
    sectionText(section, named.has(`benchmarks-${section.id}.svg`), run.notes.get(section.id)),
  );
  return [{ name: 'benchmarks.md', text: `${head(run, summaryTable(sections))}\n${parts.join('\n')}` }, ...charts];
}

/**
 * One line for each part: its speed compared with code by hand, and how many targets it misses.
 */
function summaryTable(sections: readonly Section[]): string {
  return table(
    ['Part', 'Lowest ratio', 'Median ratio', 'Highest ratio', 'Targets missed'],
    sections.map((section) => {
      const ratios = (section.rows ?? [])
        .flatMap(({ beside }) => beside.map((one) => one.ratio))
        .toSorted((a, b) => a - b);
      const at = (share: number): string => {
        const found = ratios[Math.round((ratios.length - 1) * share)];
        return found === undefined ? '' : ratio(found);
      };
      return [section.title, at(0), at(0.5), at(1), String(missedTargets(section).length)];
    }),
  );
}

function head({ machine, date, load, command }: Run, summary: string): string {
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return `# Benchmarks

<!-- Written by the command below. Do not edit. -->

How fast an operation is, compared with the least that its database allows: the same rows, indexes and durability, in
hand-written code on the driver, without this project. A ratio of 0.8 × means that the library does 0.8 operations in
the time of one by hand. Parts without a ratio count requests or sizes.

${summary}

\`\`\`sh
${command}
\`\`\`

One run measures both sides alternately, block by block. A ratio is the median over the blocks of the ratio of their
medians. Times are of one operation, and a p99 is the median over the blocks of their 99th percentiles.

Measured on ${date} on ${machine.cores} cores of ${machine.processor}, ${machine.memoryGb} GB, ${machine.system}.
The machine's load was ${load.before.toFixed(1)} before the run and ${load.after.toFixed(1)} at its end; the run itself adds up to two.${busy(load.before)}
Versions: ${versions.join(', ')}.
`;
}

function busy(loadBefore: number): string {
  return loadBefore < 0.7 ? '' : ' Other programs were running, so the ratios are more reliable than the times.';
}

function sectionText(section: Section, hasChart: boolean, note: string | undefined): string {
  const { id, title, text, rows, facts, counts } = section;
  const parts = [`## ${title}`, text];
  if (hasChart) parts.push(`![${chartTitle(section)}](benchmarks-${id}.svg)`);
  if (rows !== undefined) parts.push(rowTable(rows));
  if (facts !== undefined) parts.push(factTable(facts));
  if (counts !== undefined) parts.push(countTable(counts));
  if (note !== undefined && missedTargets(section).length > 0) parts.push('### What is missed, and why', note.trim());
  return `${parts.join('\n\n')}\n`;
}

export function rowTable(rows: readonly Row[]): string {
  return table(
    ['Operation', 'Median', 'p99', 'Compared with', 'Its median', 'Its p99', 'Ratio', 'Target'],
    rows.flatMap((row) => row.beside.map((beside) => rowCells(row, beside))),
  );
}

function rowCells({ operation, ours, targetMs }: Row, { name, times, ratio: speed, target }: Beside): string[] {
  const goal =
    targetMs === undefined
      ? verdict(speed, target)
      : `${duration(targetMs)}${ours.medianMs <= targetMs ? '' : ', **missed**'}`;
  return [
    operation,
    duration(ours.medianMs),
    duration(ours.p99Ms),
    name,
    duration(times.medianMs),
    duration(times.p99Ms),
    ratio(speed),
    goal,
  ];
}

export function factTable(facts: readonly Fact[]): string {
  return table(
    ['What', 'Ours', 'Compared with', 'Ratio', 'Target'],
    facts.map(({ name, value, beside, ratio: speed, target = '', missed = false }) => [
      name,
      value,
      beside,
      speed === undefined ? '' : ratio(speed),
      missed ? `${target}, **missed**` : target,
    ]),
  );
}

export function countTable(counts: readonly Count[]): string {
  return table(
    ['Operation', 'Requests', 'Least', 'Units to read', 'Least', 'Units to write', 'Least'],
    counts.map(({ operation, ours, least }) => [
      operation,
      ...(['requests', 'read', 'write'] as const).flatMap((name) => [amount(ours[name]), amount(least[name])]),
    ]),
  );
}

function amount(value: number): string {
  return value.toLocaleString('en');
}

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, 3, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  return [line(headings), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}
