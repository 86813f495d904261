// Measures the packages, compared with what their databases allow.
//
//   main.ts                      everything; writes docs/benchmarks.md and its charts
//   main.ts --quick              a little of everything, as a smoke test; writes nothing
//   main.ts --only sqlite,http   some parts; writes nothing
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { run } from '@mcp-session-tooling/workspace/command';
import { root } from '@mcp-session-tooling/workspace/packages';
import { groupNames, measure } from './groups/all.ts';
import { describeMachine, load } from './lib/machine.ts';
import { missedTargets } from './lib/missed.ts';
import { readNotes } from './lib/notes.ts';
import { countTable, factTable, rowTable, writeReport } from './lib/report.ts';
import type { Section } from './lib/result.ts';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, only: { type: 'string' } } });
const names = values.only?.split(',') ?? groupNames;
const unknown = names.filter((name) => !groupNames.includes(name));
if (unknown.length > 0) throw new RangeError(`No part "${unknown.join('", "')}": there are ${groupNames.join(', ')}`);

const before = load();
const sections: Section[] = [];
for (const name of names) {
  console.log(`\n== ${name}`);
  for (const section of await measure(name, { quick: values.quick, say: (line) => console.log(`   ${line}`) })) {
    sections.push(section);
    console.log(`\n${section.title}\n`);
    if (section.rows !== undefined) console.log(rowTable(section.rows));
    if (section.counts !== undefined) console.log(countTable(section.counts));
    if (section.facts !== undefined) console.log(factTable(section.facts));
  }
}

if (!values.quick && values.only === undefined) {
  const notes = readNotes();
  const files = writeReport(sections, {
    machine: describeMachine(),
    date: new Date().toISOString().slice(0, 10),
    load: { before, after: load() },
    command: 'npx -y pnpm@12 bench',
    notes,
  });
  for (const { name, text } of files) writeFileSync(join(root, 'docs', name), text);
  // The format that `check` requires.
  await run({ file: 'oxfmt', args: ['docs/benchmarks.md'] });
  console.log(`\nWritten: ${files.map(({ name }) => `docs/${name}`).join(', ')}`);
  for (const id of notes.keys()) {
    if (!sections.some((section) => section.id === id)) console.log(`tooling/bench/notes/${id}.md belongs to no part`);
  }
  for (const section of sections) {
    const missed = missedTargets(section);
    if (missed.length > 0 && !notes.has(section.id)) {
      console.log(`tooling/bench/notes/${section.id}.md does not explain the missed target of ${missed.join('; ')}`);
    }
  }
}
