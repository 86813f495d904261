import type { Progress } from '@modelcontextprotocol/client';
import { join } from 'node:path';
import { checkChapters, checkThat } from './checks.ts';
import { DemoClient } from './demo-client.ts';
import { Journal } from './journal.ts';
import { type ServerProcess, startServer } from './server-process.ts';
import { heading, tell } from './tell.ts';

const CHAPTERS = 12;
const CHAPTER_MS = 400;
/**
 * How many chapters the client gets before its network stalls, and how many it then misses at
 * least.
 */
const SEEN = 3;
const MISSED = 4;
const NOTES = ['buy milk', 'call Ada'];

/** Options of the demo. */
export interface StoryOptions {
  readonly store: string;
  /** The address of the store's database, unless it is a file. */
  readonly data: string | undefined;
  /** A folder for the data. */
  readonly folder: string;
  /** Ends the demo at once. */
  readonly signal: AbortSignal;
  /** Ends it because of this. */
  readonly fail: (error: Error) => void;
  /**
   * Registers what is done at the end, in the opposite order, after `signal` has ended the demo.
   */
  readonly atEnd: (end: () => Promise<void>) => void;
}

/**
 * Plays the demo and narrates it.
 *
 * @throws Error that names what was lost, doubled or out of order.
 */
export async function playStory({ store, data, folder, signal, fail, atEnd }: StoryOptions): Promise<void> {
  const file = join(folder, 'sessions.db');
  const where = store === 'sqlite' ? file : data;
  const place = where === undefined ? [] : ['--data', where];
  const stored = new Journal<number>();
  const onLine = (line: string): void => {
    const [, chapter] = /^Stored chapter (\d+) /.exec(line) ?? [];
    if (chapter === undefined) return;
    tell('server', line);
    stored.add(Number(chapter));
  };
  /**
   * Reports what the client got only after the server has printed that it was stored. That is the
   * true order, but a message can be faster than a line on the terminal.
   */
  const tellGot = async (chapter: number, from: number): Promise<void> => {
    const isStored = (chapters: readonly number[]): boolean => chapters.slice(from).includes(chapter);
    await stored.until(isStored, signal).then(
      () => tell('client', `Got chapter ${chapter}`),
      // The demo was stopped and reports that itself.
      () => undefined,
    );
  };
  const serve = (port: string): Promise<ServerProcess> =>
    startServer({ args: ['--store', store, ...place, '--port', port], signal, onLine, onEnd: fail, atEnd });

  heading(`A server starts. Its sessions are in ${store === 'sqlite' ? `a file, ${file}` : store}.`);
  const server = await serve('0');
  tell('server', `Process ${server.pid}, ${server.url}`);

  heading('A client of the official SDK connects and adds two notes to its session.');
  const client = new DemoClient(signal);
  await client.connect(server.url);
  const { sessionId } = client;
  tell('client', `Session ${sessionId}`);
  for (const text of NOTES) tell('client', `add_note "${text}": ${(await client.call('add_note', { text })).join()}`);

  heading(`It calls a slow tool, which reads a book of ${CHAPTERS} chapters and reports each.`);
  let lastEventId = '';
  let lastStored = Infinity;
  const received = new Journal<number>();
  const told: Promise<void>[] = [];
  const book = { chapters: CHAPTERS, delayMs: CHAPTER_MS };
  const call = client.call('read_book', book, {
    onresumptiontoken: (token) => (lastEventId = token),
    onprogress: ({ progress }) => {
      if (lastStored === Infinity) told.push(tellGot(progress, 0));
      else tell('client', `Got chapter ${progress}, which it had missed`);
      received.add(progress);
      if (progress === SEEN) client.network.stalled = true;
    },
  });
  const outcome = call.then(String, (error: unknown) => (error instanceof Error ? error.message : String(error)));
  const early = outcome.then((text) =>
    Promise.reject(new Error(`The call ended before the server was killed: ${text}`)),
  );
  await Promise.race([early, received.until((chapters) => chapters.includes(SEEN), signal)]);

  await Promise.race([early, Promise.all(told)]);
  heading('The network stalls: nothing reaches the client. The server continues and stores what it sends.');
  const missed = (): number => stored.entries.length - received.entries.length;
  await Promise.race([early, stored.until(() => missed() >= MISSED, signal)]);

  heading(`kill -9 ${server.pid}. The stream is cut, and the process had no time to save anything.`);
  await server.kill();
  const seen = received.entries.length;
  lastStored = stored.entries.at(-1) ?? 0;

  heading('A new process starts.');
  client.network.stalled = false;
  client.network.onSessionUnknown = () =>
    fail(new Error('Lost: the new process does not know the session or its state'));
  client.network.onResume = (id, status) => {
    if (id === lastEventId) tell('client', `Reconnects by itself, with Last-Event-ID: ${id}. Status: ${status}`);
  };
  const successor = await serve(new URL(server.url).port);
  tell('server', `Process ${successor.pid}, ${successor.url}`);
  await Promise.race([outcome, received.until((chapters) => (chapters.at(-1) ?? 0) >= lastStored, signal)]);

  heading('The call died with its process. The client gets an error instead of waiting forever.');
  const ending = await outcome;
  signal.throwIfAborted();
  tell('client', `read_book: ${ending}`);

  heading('The session remembers how far the call came. Called again, the tool continues from there.');
  const rest: number[] = [];
  const from = stored.entries.length;
  const toldOfRest: Promise<void>[] = [];
  const onprogress = ({ progress }: Progress): void => {
    toldOfRest.push(tellGot(progress, from));
    rest.push(progress);
  };
  const answer = (await client.call('read_book', book, { onprogress })).join();
  await Promise.all(toldOfRest);
  tell('client', `read_book: ${answer}`);
  const notes = await client.call('list_notes');
  tell('client', `list_notes: ${notes.join(', ')}`);

  heading('The result.');
  const [firstOfRest = CHAPTERS] = rest;
  const last = Math.max(lastStored, ...received.entries);
  checkThat(client.sessionId === sessionId, `The session is another one: ${client.sessionId}`);
  checkThat(client.network.initializations === 1, `The client began ${client.network.initializations} sessions`);
  checkThat(notes.join() === NOTES.join(), `Lost: notes. The session has ${notes.join(', ') || 'none'}`);
  checkChapters(received.entries, 1, last);
  // The tool stores a report and then its bookmark. If the process dies between the two, the
  // chapter is read again.
  if (firstOfRest === last) tell('demo', `Chapter ${last} was read again: the kill came before its bookmark`);
  else checkThat(firstOfRest === last + 1, `The second call began with chapter ${firstOfRest} after ${last}`);
  checkChapters(rest, firstOfRest, CHAPTERS);
  tell('demo', `One session from start to end: ${sessionId}`);
  tell('demo', `Notes: ${notes.length} of ${NOTES.length}`);
  tell('demo', `Chapters received before the kill: 1 to ${seen}`);
  tell('demo', `Chapters missed, and received after the restart: ${seen + 1} to ${last}`);
  tell('demo', `Chapters read by the new process: ${firstOfRest} to ${CHAPTERS}`);
  tell('demo', 'Nothing was lost, doubled or out of order');
}
