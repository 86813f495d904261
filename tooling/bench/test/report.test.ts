import { expect, it } from 'vitest';
import { writeReport } from '../src/lib/report.ts';
import type { Section } from '../src/lib/result.ts';

const times = { medianMs: 0.02, p99Ms: 1.5 };
const section: Section = {
  id: 'some',
  title: 'Some <database>',
  text: 'Beside its driver.',
  rows: [
    {
      operation: 'append',
      ours: times,
      beside: [
        { name: 'by hand', times, ratio: 0.65, target: 0.7 },
        { name: 'by hand, one batch', times, ratio: 0.6, target: 0.6 },
      ],
    },
    { operation: 'tail', ours: times, targetMs: 0.01, beside: [{ name: 'polling', times, ratio: 1 }] },
  ],
};
const run = {
  machine: { processor: 'A processor', cores: 2, memoryGb: 8, system: 'linux 6', versions: { node: '24.0.0' } },
  date: '2026-01-01',
  load: { before: 0.1, after: 2 },
  command: 'npx -y pnpm@12 bench',
  notes: new Map([['some', 'Because of the driver.']]),
};

it('writes each figure next to what it was compared with, and marks missed targets', () => {
  const [report] = writeReport([section], run);

  const cells = report?.text
    .split('\n')
    .filter((line) => line.startsWith('| append') || line.startsWith('| tail'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  expect(cells).toEqual([
    ['', 'append', '20.0 µs', '1.50 ms', 'by hand', '20.0 µs', '1.50 ms', '0.65 ×', '0.7 ×, **missed**', ''],
    ['', 'append', '20.0 µs', '1.50 ms', 'by hand, one batch', '20.0 µs', '1.50 ms', '0.60 ×', '0.6 ×', ''],
    ['', 'tail', '20.0 µs', '1.50 ms', 'polling', '20.0 µs', '1.50 ms', '1.00 ×', '10.0 µs, **missed**', ''],
  ]);
  expect(report?.text).toContain('2 cores of A processor, 8 GB, linux 6');
  expect(report?.text).toContain('(benchmarks-some.svg)');
});

it('says why where a target is missed, and there only', () => {
  const [report] = writeReport([section], run);
  expect(report?.text).toContain('### What is missed, and why\n\nBecause of the driver.\n');

  const [none] = writeReport([{ ...section, rows: [], facts: [] }], run);
  expect(none?.text).not.toContain('Because of the driver');

  const facts = [{ name: 'memory', value: '2 KiB', beside: '', target: '1 KiB', missed: true }];
  const [fact] = writeReport([{ ...section, rows: [], facts }], run);
  expect(fact?.text).toContain('| 1 KiB, **missed** |');
  expect(fact?.text).toContain('Because of the driver');
});

it('says of a machine that does something else as well that it does', () => {
  const text = (before: number) => writeReport([section], { ...run, load: { before, after: 2 } })[0]?.text;
  expect(text(3.21)).toContain('3.2 before the run and 2.0 at its end');
  expect(text(3.21)).toContain('Other programs were running');
  expect(text(0.1)).not.toContain('Other work');
});

it('writes the cost of an operation next to the least, and marks where it is more', () => {
  const least = { requests: 1, read: 0.5, write: 1_000 };
  const counts = [
    { operation: 'get', ours: least, least },
    { operation: 'sweep', ours: { ...least, write: 2_000 }, least },
  ];
  const [report, drawn] = writeReport([{ ...section, rows: [], counts }], run);
  expect(report?.text).toMatch(/\| sweep +\| 1 +\| 1 +\| 0.5 +\| 0.5 +\| 2,000 +\| 1,000 \|/);
  expect(report?.text).toContain('Because of the driver.');
  expect(drawn?.text).toContain('>0.50</text>');

  const [atTheLeast] = writeReport([{ ...section, rows: [], counts: counts.slice(0, 1) }], run);
  expect(atTheLeast?.text).not.toContain('Because of the driver.');
});

it('draws a bar for each ratio with a mark at its target', () => {
  const [, chart] = writeReport([section], run);

  expect(chart?.name).toBe('benchmarks-some.svg');
  expect(chart?.text).toContain('Some &lt;database&gt;');
  expect(chart?.text.match(/<rect x=/g)).toHaveLength(2);
  expect(chart?.text.match(/stroke-width="2"/g)).toHaveLength(2);
});

it('begins with one line for each part', () => {
  const [report] = writeReport([section], run);

  const [, line = ''] = /^(\| Some <database> .*)$/m.exec(report?.text ?? '') ?? [];
  expect(line.split('|').map((cell) => cell.trim())).toEqual([
    '',
    section.title,
    '0.60 ×',
    '0.65 ×',
    '1.00 ×',
    '2',
    '',
  ]);
});
