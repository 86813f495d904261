/** Names that commands may use. */
export interface CommandFacts {
  /** Scripts of a package, or of the root where no name is given. */
  readonly scriptsOf: (name?: string) => readonly string[];
  /** Names of the packages that are published. */
  readonly packages: readonly string[];
  /** Whether a path from the root exists. */
  readonly exists: (path: string) => boolean;
  /** The commands of `mcp-session`, and all of their options. */
  readonly cli: { readonly commands: readonly string[]; readonly options: readonly string[] };
}

/** What pnpm does itself. */
const PNPM_COMMANDS = new Set(['add', 'exec', 'install', 'rebuild']);
/** Commands that name nothing of this project. */
const OTHERS = new Set([
  'aws',
  'cd',
  'curl',
  'docker',
  'export',
  'git',
  'install',
  'jq',
  'kill',
  'kubectl',
  'mkdir',
  'node',
  'npm',
  'pg_dump',
  'pg_restore',
  'rm',
  'sqlite3',
  'xargs',
]);

/** The problems of the commands in a shell block: one sentence each. */
export function commandProblems(code: string, facts: CommandFacts): string[] {
  return code
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '')
    .flatMap((line) => line.split(/\s*(?:&&|\|)\s*/))
    .flatMap((command) => problemsOf(command.replace(/^(?:[A-Z_]+=\S*\s+)+/, ''), facts));
}

function problemsOf(command: string, facts: CommandFacts): string[] {
  const { scriptsOf, packages, exists } = facts;
  const words = command.split(/\s+/);
  const problems = words
    .map((word) => /^@mcp-session\/[a-z-]+/.exec(word)?.[0])
    .filter((name) => name !== undefined && !packages.includes(name))
    .map((name) => `No package ${name}`);

  const pnpm = /^npx -y pnpm@12 (?:--filter (?<name>\S+) )?(?:run )?(?<script>[\w:-]+)(?<rest>.*)$/.exec(
    command,
  )?.groups;
  if (pnpm !== undefined) {
    const { name, script = '', rest = '' } = pnpm;
    if (!scriptsOf(name).includes(script) && !PNPM_COMMANDS.has(script)) problems.push(`No script ${script}`);
    const paths = rest.split(/\s+/).filter((word) => /^(?:docs|examples|packages|tooling)\//.test(word));
    problems.push(...paths.filter((path) => !exists(path)).map((path) => `No path ${path}`));
  } else if (words.includes('mcp-session')) {
    problems.push(...cliProblems(words.slice(words.indexOf('mcp-session') + 1), facts.cli));
  } else if (words[0]?.startsWith('.') === true) {
    if (!exists(words[0])) problems.push(`No path ${words[0]}`);
  } else if (!OTHERS.has(words[0] ?? '') && !command.startsWith('npx vitest ')) {
    problems.push(`Nothing checks the command ${command}`);
  }
  return problems;
}

function cliProblems([name = '', ...args]: readonly string[], { commands, options }: CommandFacts['cli']): string[] {
  const unknown = args.filter((arg) => arg.startsWith('--')).filter((arg) => !options.includes(arg));
  const problems = unknown.map((option) => `mcp-session has no option ${option}`);
  return commands.includes(name) ? problems : [`mcp-session has no command ${name}`, ...problems];
}
