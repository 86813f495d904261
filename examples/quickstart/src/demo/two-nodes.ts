import { callTool, connect } from '@mcp-session-examples/two-nodes/client';
import { startProxy } from '@mcp-session-examples/two-nodes/proxy';
import type { Progress } from '@modelcontextprotocol/client';
import { checkChapters, checkThat } from './checks.ts';
import { openPostgres } from './database.ts';
import { Journal } from './journal.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import type { StoryOptions } from './story.ts';
import { heading, tell } from './tell.ts';

const SERVER = new URL(import.meta.resolve('@mcp-session-examples/two-nodes/server'));
const PAGES = 9;
const PAGE_MS = 300;
/** How many pages the client gets before the node that writes them is killed. */
const SEEN = 3;

const RESUMES = 'GET: the client resumes the stream';

/** A request that a node has begun to answer. */
interface Answered {
  readonly node: number;
  /** As `POST tools/call`. */
  readonly what: string;
}

/** The result of the example's tool. */
interface Report {
  readonly title: string;
  /** The process that wrote each page. */
  readonly writers: readonly number[];
}

/**
 * Plays the demo with two nodes: two processes on one PostgreSQL, and a load balancer that
 * alternates between them.
 *
 * @throws Error that names what was lost, doubled or out of order.
 */
export async function playTwoNodes(options: StoryOptions): Promise<void> {
  const database = await openPostgres(options.data);
  options.atEnd(database.close);
  await playOn(options, [database.url, database.url]);
}

/** The same with a database per node, where sessions must get lost: the nodes need a common one. */
export async function playOn(
  { signal, fail, atEnd }: Pick<StoryOptions, 'signal' | 'fail' | 'atEnd'>,
  databases: readonly [string, string],
): Promise<void> {
  const name = (node: number): string => `node ${node + 1}`;
  const serve = (node: number, port: string): Promise<ServerProcess> =>
    startServer({
      file: SERVER,
      args: [port],
      env: { DATABASE_URL: databases[node] },
      signal,
      onLine: (line) => tell(name(node), line),
      onEnd: fail,
      atEnd,
    });

  heading('Two servers start on one PostgreSQL, behind a load balancer that alternates between them.');
  const nodes = await Promise.all([serve(0, '0'), serve(1, '0')]);
  const answered = new Journal<Answered>();
  const proxyUrl = await startProxy(
    nodes.map(({ url }) => url),
    {
      signal,
      onAnswer: (node, { method = '', headers }, body) => {
        const what = nameRequest(method, headers['last-event-id'], body.toString());
        tell('load balancer', `${name(node)} answers ${what}`);
        answered.add({ node, what });
      },
    },
  );

  heading('A client of the official SDK connects and asks which process answers.');
  let questions = 0;
  const { client, sessionId } = await connect(`${proxyUrl}/mcp`, () => {
    tell('client', `The tool asks its user for a title. The answer: "Report ${++questions}"`);
    return `Report ${questions}`;
  });
  signal.addEventListener('abort', () => void client.close());
  const who: string[] = [];
  for (let call = 1; call <= 4; call++) who.push(await callTool(client, { name: 'who' }, { signal }));
  tell('client', `Answered by the processes ${who.join(', ')}`);

  const heard = new Journal<number>();
  /** Calls the tool that takes its time. */
  const write = (pages: number[], onRepeat: (error: Error) => void): Promise<Report> =>
    callTool(
      client,
      { name: 'write_report', arguments: { pages: PAGES, pageMs: PAGE_MS } },
      {
        signal,
        onprogress: ({ progress }: Progress) => {
          tell('client', `Got page ${progress}`);
          pages.push(progress);
          heard.add(progress);
        },
      },
      onRepeat,
    ).then((text) => JSON.parse(text) as Report);
  /** The node that runs the tool, once it does. */
  const runner = async (from: number): Promise<number> => {
    const isCall = ({ what }: Answered): boolean => what === 'POST tools/call write_report';
    await answered.until((all) => all.slice(from).some(isCall), signal);
    return answered.entries.slice(from).find(isCall)?.node ?? 0;
  };
  const kill = async (node: number, because: string): Promise<void> => {
    tell('demo', `kill -9 ${nodes[node]?.pid}: ${name(node)}, ${because}`);
    await nodes[node]?.kill();
  };

  heading("A slow tool runs on one node. The node that has the client's stream is killed.");
  tell('demo', 'With each page the tool closes the connection, so that no connection stays open for long.');
  tell('demo', 'So the client reconnects after each page, to the next node.');
  let repeats = 0;
  const begun = answered.entries.length;
  const firstPages: number[] = [];
  const firstReport = write(firstPages, () => repeats++);
  const early = failEarly(firstReport);
  const firstRunner = await Promise.race([early, runner(begun)]);
  const other = 1 - firstRunner;
  // The tool ends the connection with each page, and the client comes back, to the other node at
  // last.
  const hangsOnOther = ({ node, what }: Answered): boolean => node === other && what === RESUMES;
  await Promise.race([early, answered.until((all) => all.slice(begun).some(hangsOnOther), signal)]);
  await kill(other, 'which has the stream of the call');
  const first = await firstReport;
  tell('client', `"${first.title}" is done, ${first.writers.length} pages. It noticed nothing`);

  heading('The killed node starts again. Then the node that runs the tool is killed.');
  nodes[other] = await serve(other, new URL(nodes[other]?.url ?? '').port);
  const pids = nodes.map(({ pid }) => pid);
  const secondPages: number[] = [];
  const from = answered.entries.length;
  const secondReport = write(secondPages, ({ message }) => {
    repeats++;
    tell('client', `Error: ${message}. It calls the tool again`);
  });
  const tooEarly = failEarly(secondReport);
  const secondRunner = await Promise.race([tooEarly, runner(from)]);
  await Promise.race([tooEarly, heard.until(() => secondPages.length >= SEEN, signal)]);
  const repeatsBefore = repeats;
  await kill(secondRunner, 'which runs the tool');
  const second = await secondReport;
  tell(
    'client',
    `"${second.title}" is done, ${second.writers.length} pages by the processes ${[...new Set(second.writers)].join(' and ')}`,
  );

  heading('The result.');
  const begins = answered.entries.filter(({ what }) => what === 'POST initialize').length;
  checkThat(begins === 1, `The client began ${begins} sessions`);
  checkThat(new Set(who).size === 2, `The requests did not alternate: ${who.join(', ')}`);
  checkThat(questions === 2, `The user was asked ${questions} times for 2 titles`);
  checkThat(repeatsBefore === 0, 'The first call was repeated, although its node was alive');
  checkThat(repeats === 1, `The call whose node died was repeated ${repeats} times`);
  checkChapters(firstPages, 1, PAGES, 'page');
  checkReport(first, 'Report 1', [nodes[firstRunner]?.pid]);
  checkReport(second, 'Report 2', [pids[secondRunner], pids[1 - secondRunner]]);
  // The tool stores a page and then reports it. The process can die between the two.
  const untold = second.writers.indexOf(pids[1 - secondRunner] ?? 0);
  if (!secondPages.includes(untold)) {
    tell(
      'demo',
      `The client never got page ${untold}: the kill came after it was stored and before it was sent. It is in the report`,
    );
    secondPages.splice(untold - 1, 0, untold);
  }
  checkChapters(secondPages, 1, PAGES, 'page');
  tell('demo', `One session from start to end, on two nodes that were both killed: ${sessionId}`);
  tell('demo', 'Nothing was lost, doubled or out of order');
}

/** Fails if a report ends or fails before its node is killed. */
async function failEarly(report: Promise<Report>): Promise<never> {
  const { writers } = await report;
  throw new Error(`The report of ${writers.length} pages was done before the kill`);
}

/** A request in the words of the story. */
function nameRequest(method: string, lastEventId: unknown, body: string): string {
  if (method === 'GET') return lastEventId === undefined ? 'GET: the client listens' : RESUMES;
  const message = JSON.parse(body) as { readonly method?: string; readonly params?: { readonly name?: string } };
  if (message.method === undefined) return `${method} with the answer of the user`;
  return [method, message.method, message.params?.name].filter((part) => part !== undefined).join(' ');
}

/** @throws Error unless these processes, one after the other, wrote each page once. */
function checkReport({ title, writers }: Report, expected: string, pids: readonly (number | undefined)[]): void {
  checkThat(title === expected, `The report is called "${title}", not "${expected}"`);
  checkThat(writers.length === PAGES, `"${title}" has ${writers.length} pages, not ${PAGES}`);
  const turns = writers.filter((writer, page) => writer !== writers[page - 1]);
  checkThat(turns.join() === pids.join(), `"${title}" was written by ${turns.join(', ')}, not ${pids.join(', ')}`);
}
