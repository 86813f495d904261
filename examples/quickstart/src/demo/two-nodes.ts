import { join } from 'node:path';
import { checkChapters, checkThat } from './checks.ts';
import { DemoClient } from './demo-client.ts';
import { Journal } from './journal.ts';
import { startRoundRobin } from './round-robin.ts';
import { startServer } from './server-process.ts';
import type { StoryOptions } from './story.ts';
import { heading, tell } from './tell.ts';

const CHAPTERS = 10;
const CHAPTER_MS = 300;
/** How many chapters the client gets before the node that reads them is killed. */
const SEEN = 4;
const NOTES = ['buy milk', 'call Ada', 'water the plants', 'sleep'];

/** A chapter, and the node that stored it. */
interface Stored {
  readonly chapter: number;
  readonly node: number;
}

/**
 * Plays the demo of two nodes: two processes on one file, and a load balancer that sends each request to the other one.
 *
 * @throws Error that says what was lost, doubled or out of order.
 */
export async function playTwoNodes({ folder, signal, fail }: StoryOptions): Promise<void> {
  const file = join(folder, 'sessions.db');
  const stored = new Journal<Stored>();
  heading(`Two servers start on one SQLite file, ${file}. Each request goes to the other one: no sticky sessions.`);
  const nodes = await Promise.all(
    [0, 1].map((node) =>
      startServer({
        args: ['--store', 'sqlite', '--data', file, '--port', '0'],
        signal,
        onLine: (line) => {
          const [, chapter] = /^Stored chapter (\d+) /.exec(line) ?? [];
          if (chapter === undefined) return;
          tell(`node ${node + 1}`, line);
          stored.add({ chapter: Number(chapter), node });
        },
        onEnd: fail,
      }),
    ),
  );
  for (const [node, { pid, url }] of nodes.entries()) tell(`node ${node + 1}`, `Process ${pid}, ${url}`);
  const balancer = await startRoundRobin(
    nodes.map(({ url }) => url),
    signal,
  );

  heading('A client connects, the one of the official SDK, and adds notes to its session.');
  const client = new DemoClient(signal, () => {
    tell('client', 'Asked whether to remove all notes: yes. The answer goes to the other node');
    return true;
  });
  await client.connect(balancer.url);
  const { sessionId } = client;
  for (const text of NOTES) tell('client', `add_note "${text}": ${(await client.call('add_note', { text })).join()}`);
  const notes = await client.call('list_notes');
  tell('demo', `Requests: ${balancer.answered.map((count, node) => `${count} by node ${node + 1}`).join(', ')}`);

  heading('A tool asks the client something. Its answer lands on the node that did not ask.');
  tell('client', `clear_notes: ${(await client.call('clear_notes')).join()}`);
  const none = await client.call('list_notes');

  heading('A tool takes its time, and the node that runs it is killed.');
  const received = new Journal<number>();
  const book = { chapters: CHAPTERS, delayMs: CHAPTER_MS };
  const outcome = client
    .call('read_book', book, { onprogress: ({ progress }) => received.add(progress) })
    .then(String, String);
  await received.until((chapters) => chapters.length >= SEEN, signal);
  const dying = stored.entries.at(-1)?.node ?? 0;
  tell('demo', `kill -9 ${nodes[dying]?.pid}, node ${dying + 1}`);
  await nodes[dying]?.kill();
  const ending = await outcome;
  signal.throwIfAborted();
  const lastStored = Math.max(...received.entries, ...stored.entries.map(({ chapter }) => chapter));
  tell('client', `Got chapters 1 to ${received.entries.at(-1)}, then of node ${2 - dying}: ${ending}`);

  heading('The session goes on: called again, the tool continues on the node that is left.');
  const rest: number[] = [];
  const onprogress = ({ progress }: { readonly progress: number }): void => void rest.push(progress);
  tell('client', `read_book: ${(await client.call('read_book', book, { onprogress })).join()}`);

  heading('What came of it.');
  checkThat(client.sessionId === sessionId, `The session is another one: ${client.sessionId}`);
  checkThat(client.network.initializations === 1, `Sessions were begun ${client.network.initializations} times`);
  checkThat(notes.join() === NOTES.join(), `Lost: notes. There were ${notes.join(', ') || 'none'}`);
  checkThat(none.join() === 'No notes', `Notes that were removed are there: ${none.join(', ')}`);
  checkThat(ending.includes('interrupted'), `The call that died said: ${ending}`);
  checkChapters(received.entries, 1, received.entries.length);
  // The tool stores a report and then its bookmark. Between the two the process can die; the chapter is read again then.
  const [first = 0] = rest;
  checkThat(
    first === lastStored + 1 || first === lastStored,
    `The second call began with chapter ${first} after ${lastStored}`,
  );
  checkChapters(rest, first, CHAPTERS);
  for (const [node, count] of balancer.answered.entries())
    checkThat(count > 3, `Node ${node + 1} had ${count} requests`);
  tell('demo', `One session, begun once, on two nodes, one of which died: ${sessionId}`);
  tell('demo', 'Nothing was lost, doubled or out of order');
}
