import { Command, Option } from 'commander';
import { count } from './commands/count.ts';
import { doctor } from './commands/doctor.ts';
import { end } from './commands/end.ts';
import { events } from './commands/events.ts';
import { ls } from './commands/ls.ts';
import { migrate } from './commands/migrate.ts';
import { show } from './commands/show.ts';
import { state } from './commands/state.ts';
import { studio } from './commands/studio.ts';
import { sweep } from './commands/sweep.ts';
import { contextOf, type Context, type GlobalOptions } from './context.ts';
import { CliError } from './failure.ts';
import type { CliSurroundings } from './surroundings.ts';

const EPILOGUE = `
Stores:
  sqlite:./sessions.db                      needs @mcp-session/sqlite
  postgres://user@host/database             needs @mcp-session/postgres
  dynamodb:?region=eu-central-1             needs @mcp-session/dynamodb
  MCP_SESSION_STORE names the store unless --store does. Give a password there,
  or in PGPASSWORD: other users of a machine can see arguments.

Exit codes:
  0 done   1 failed   2 wrong arguments   3 no such session   4 checks failed
`;

/** The commands with their arguments. */
export function programOf(surroundings: CliSurroundings, version: string): Command {
  const program = new Command('mcp-session')
    .description('Looks into a session store. Looking renews no session.')
    .version(version)
    .option('--store <address>', 'the store; default: MCP_SESSION_STORE')
    .option('--schema <name>', 'schema of the tables on PostgreSQL')
    .option('--prefix <text>', 'prefix of the tables on PostgreSQL and SQLite')
    .option('--json', 'JSON for programs instead of tables')
    .addHelpText('after', EPILOGUE)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => void surroundings.stdout.write(text),
      writeErr: (text) => void surroundings.stderr.write(text),
      getOutHelpWidth: () => surroundings.stdout.columns ?? 80,
      getErrHelpWidth: () => surroundings.stderr.columns ?? 80,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      // runCli writes it, without the arguments.
      outputError: () => undefined,
    })
    .exitOverride()
    .showSuggestionAfterError();
  const context = (): Context => contextOf(surroundings, program.opts<GlobalOptions>());
  addLooks(program, context);
  addWork(program, context);
  return program;
}

function addLooks(program: Command, context: () => Context): void {
  program
    .command('ls')
    .description('list live sessions')
    .addOption(kind())
    .addOption(principal())
    .addOption(anonymous())
    .option('--limit <count>', 'how many at most', whole, 50)
    .option('--cursor <id>', 'continue after this id')
    .action((options: Parameters<typeof ls>[1]) => ls(context(), options));
  program
    .command('show')
    .description('show the facts of a session')
    .argument('<id>', 'an id, or its first part')
    .addOption(kind())
    .action((id: string, options: { readonly kind?: string }) => show(context(), id, options.kind));
  program
    .command('state')
    .description('show the state of a session, or one value')
    .argument('<id>', 'an id, or its first part')
    .argument('[key]', 'show the whole value of this key')
    .addOption(kind())
    .action((id: string, key: string | undefined, options: { readonly kind?: string }) =>
      state(context(), id, key, options.kind),
    );
  program
    .command('events')
    .description('show the newest events of a session')
    .argument('<id>', 'an id, or its first part')
    .option('--stream <id>', 'only events of this stream')
    .option('--after <event>', 'events after this id, oldest first')
    .option('--limit <count>', 'how many at most', whole, 20)
    .option('--follow', 'then show events as they are appended; Ctrl+C ends it')
    .addOption(kind())
    .action((id: string, options: Parameters<typeof events>[2]) => events(context(), id, options));
  program
    .command('count')
    .description('count live sessions by kind; reads every session')
    .addOption(kind())
    .addOption(principal())
    .addOption(anonymous())
    .action((options: Parameters<typeof count>[1]) => count(context(), options));
  program
    .command('doctor')
    .description('check schema, versions, rights, indexes, clock and notifications')
    .action(() => doctor(context()));
  program
    .command('studio')
    .description('serve a page that shows the store, on this machine only')
    .option('--port <number>', 'the port; 0 takes a free one', portOf, 0)
    .option('--read-only', 'end no sessions')
    .option('--open', 'open the page in the browser')
    .action((options: Parameters<typeof studio>[1]) => studio(context(), options));
}

function addWork(program: Command, context: () => Context): void {
  program
    .command('end')
    .description('end sessions by their ids, or all of a principal')
    .argument('[ids...]', 'whole ids')
    .addOption(principal())
    .addOption(anonymous())
    .addOption(kind())
    .option('--yes', 'end all of the principal without a question')
    .action((ids: readonly string[], options: Parameters<typeof end>[2]) => end(context(), ids, options));
  program
    .command('sweep')
    .description('remove expired and ended sessions')
    .action(() => sweep(context()));
  program
    .command('migrate')
    .description('create or migrate the tables')
    .option('--dry-run', 'print what would be done, and change nothing')
    .action((options: { readonly dryRun?: boolean }) => migrate(context(), options.dryRun === true));
}

const kind = (): Option => new Option('--kind <name>', 'kind of the sessions; default: session');
const principal = (): Option => new Option('--principal <name>', 'only sessions of this principal');
const anonymous = (): Option => new Option('--anonymous', 'only sessions without a principal');

function portOf(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) {
    throw new CliError('--port is not a port number', 'Give a port from 0 to 65535.');
  }
  return value;
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) {
    throw new CliError('--limit is not a count', 'Give a whole number from 1.');
  }
  return value;
}
