import { requirements, type RequirementId } from '@mcp-session/conformance';
import { hints } from './contract-hints.ts';
import { table } from './table.ts';

/** A part of the page: its heading, what comes before its table, and the ids that it lists. */
interface Part {
  readonly title: string;
  readonly text?: string;
  /** The first words of the ids, as in `events` of `events.append.row`. */
  readonly groups: readonly string[];
}

const INTRODUCTION = `# The contract

<!-- Written by "npx -y pnpm@12 reference" from the conformance kit's requirements. Do not edit. -->

What every backend promises. Each promise has an id, and the [conformance kit](../../packages/conformance/README.md)
proves each of them on every backend. A case that fails names its id: look it up here. The
[glossary](../glossary.md) defines the words.

The doc comments of \`SessionBackend\` say what each method does, and those of its rows what it takes and returns.

## Data

A backend stores three kinds of rows. All of them belong to a session:

- **Session**: \`id\`, \`kind\`, \`principal\`, \`profile\`, \`version\`, \`createdAt\`, \`touchedAt\`, \`expiresAt\`, \`lastSeq\`. Ids
  are 1 to 255 visible ASCII characters.
- **State**: by session and key, a value and its version.
- **Event**: by session and number, a stream id, a message and the time of its append.

Profiles, values and messages are text that a backend does not interpret. Times are whole Unix milliseconds, and the
caller passes them in. A session is **live** at a time when it exists, was not ended, and its \`expiresAt\` is greater
than that time. To every method, a session that is not live does not exist.
`;

const PARTS: readonly Part[] = [
  { title: 'Sessions', groups: ['sessions'] },
  {
    title: 'Heads and sweeps',
    text: 'Core reads heads while tails wait. Sweeps free space and decide nothing.',
    groups: ['heads', 'sweep'],
  },
  { title: 'State', groups: ['state'] },
  { title: 'Events', groups: ['events'] },
  { title: 'The backend itself', groups: ['capabilities', 'lifecycle', 'hints', 'processes', 'generated'] },
  {
    title: 'The store on top',
    text: 'Core keeps these promises on any backend that keeps the others. If one of these cases fails while all others pass, report it.',
    groups: ['store'],
  },
];

/** The page `docs/reference/contract.md`. */
export function contractPage(): string {
  const ids = Object.keys(requirements) as RequirementId[];
  const sections = PARTS.map(({ title, text, groups }) => {
    const own = ids.filter((id) => groups.includes(id.split('.')[0] ?? ''));
    const rows = own.map((id) => [`\`${id}\``, `${markNames(requirements[id])}.`, hints[id]]);
    return [
      `## ${title}`,
      ...(text === undefined ? [] : [text]),
      table(['id', 'promise', 'what an author must do'], rows),
    ];
  });
  return `${[INTRODUCTION.trimEnd(), ...sections.flat()].join('\n\n')}\n`;
}

// The kit's sentences are plain text: names of code get their marks here.
function markNames(text: string): string {
  const name = /__proto__|JSON\.parse|\b(?!MiB\b)(?:[a-z]+[A-Z]\w*|[A-Z][a-z]+[A-Z]\w*|[A-Z]+_[A-Z_]+)\b/g;
  return text.replaceAll(name, '`$&`');
}
