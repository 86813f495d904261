import { Client, type Transport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { expect, onTestFinished } from 'vitest';
import type { Deployment } from './deployment.ts';

const BOOK = { chapters: 50, delayMs: 100 };
/** How many chapters are read after the end of the server. */
const REST = 6;

/**
 * Plays the demo's story: notes, a question to the user, a call with progress, a server that is
 * killed in the middle of the call, the rest of the stream from its successor, and the notes again.
 *
 * @param transport A transport with its default options.
 */
export async function playStory({ replace }: Deployment, transport: Transport): Promise<Client> {
  const client = new Client({ name: 'story', version: '1.0.0' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { sure: true } }));
  onTestFinished(() => client.close());
  await client.connect(transport);

  await call('add_note', { text: 'sell milk' });
  expect(await call('clear_notes')).toBe('The notes were removed');
  for (const text of ['buy milk', 'call Ada']) await call('add_note', { text });

  const { promise: atThree, resolve: isAtThree } = Promise.withResolvers<void>();
  const progress: number[] = [];
  const interrupted = call('read_book', BOOK, (chapter) => {
    progress.push(chapter);
    if (chapter === 3) isAtThree();
  }).catch(String);
  await Promise.race([atThree, interrupted]);
  await replace();
  expect(await interrupted).toContain('Request was interrupted: the server that handled it has stopped');

  const rest: number[] = [];
  const until = progress.length + REST;
  const answer = await call('read_book', { ...BOOK, chapters: until }, (chapter) => rest.push(chapter));
  const from = Number(new RegExp(`^Read chapters (\\d+) to ${until}$`).exec(answer)?.[1]);
  // Over stdio, the SDK's client drops reports that arrive in one chunk with the answer or the
  // error: it runs the handler of those first.
  const drops = transport instanceof StdioClientTransport;
  // A server that dies between a report and its bookmark reads the chapter again.
  expect(from).toBeGreaterThanOrEqual(progress.length);
  if (!drops) expect(from).toBeLessThanOrEqual(progress.length + 1);
  expect(progress).toEqual(progress.map((_, index) => index + 1));
  const chapters = Array.from({ length: until - from + 1 }, (_, index) => from + index);
  expect(rest).toEqual(drops ? chapters.slice(0, rest.length) : chapters);
  expect(await call('list_notes')).toBe('buy milk\ncall Ada');
  return client;

  async function call(name: string, args = {}, onprogress?: (chapter: number) => void): Promise<string> {
    const options = onprogress && { onprogress: (report: { progress: number }) => onprogress(report.progress) };
    const { content } = await client.callTool({ name, arguments: args }, options);
    return content.map((item) => (item.type === 'text' ? item.text : '')).join('\n');
  }
}
