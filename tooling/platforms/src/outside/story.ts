import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { RecordedStep } from '../tables/recorded.ts';

const BOOK = { chapters: 10, delayMs: 100 };

/** A server of the quickstart's tools that runs outside of the tests. */
export interface OutsideServer {
  readonly url: string;
  /** Kills it without notice, and starts it again at the same address. */
  readonly restart: () => Promise<void>;
  readonly kill: () => Promise<void>;
}

/** Plays the story of the demo with SDK v2 at its defaults, and reports what it saw. */
export async function playOutside({ url, restart }: OutsideServer): Promise<RecordedStep[]> {
  const steps: RecordedStep[] = [];
  const step = (name: string, ok: boolean, note: unknown = ''): void => {
    steps.push({ step: name, ok, note: typeof note === 'string' ? note : JSON.stringify(note) });
  };
  const transport = new StreamableHTTPClientTransport(new URL(url));
  const client = new Client({ name: 'story', version: '1.0.0' }, { capabilities: { elicitation: {} } });
  client.setRequestHandler('elicitation/create', () => ({ action: 'accept', content: { sure: true } }));
  await client.connect(transport);
  step('initialize', transport.sessionId !== undefined);
  step('call', (await call('add_note', { text: 'buy milk' })) === '1 note');

  const chapters: number[] = [];
  await call('read_book', { chapters: 3, delayMs: 50 }, (chapter) => chapters.push(chapter));
  step('progress', chapters.join() === '1,2,3', chapters);
  const cleared = await call('clear_notes');
  step('elicitation', cleared === 'The notes were removed', cleared);
  await call('add_note', { text: 'call Ada' });

  const { promise: atThree, resolve: isAtThree } = Promise.withResolvers<void>();
  const seen: number[] = [];
  const interrupted = call('read_book', BOOK, (chapter) => {
    seen.push(chapter);
    if (chapter === 3) isAtThree();
  }).catch(String);
  await Promise.race([atThree, interrupted]);
  const began = performance.now();
  await restart();
  const outcome = await interrupted;
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  step(
    'kill -9 and resume',
    outcome.includes('was interrupted'),
    `${outcome} after ${seconds} s, chapters ${seen.join()}`,
  );

  const rest: number[] = [];
  await call('read_book', BOOK, (chapter) => rest.push(chapter));
  // A server that dies between a report and its bookmark reads the chapter again.
  const goesOn = [seen.length, seen.length + 1].includes(rest[0] ?? 0) && rest.at(-1) === BOOK.chapters;
  step('the call goes on', goesOn, rest);
  step('state', (await call('list_notes')) === 'call Ada');

  const headers = { accept: 'text/event-stream', 'mcp-session-id': transport.sessionId ?? '' };
  await transport.terminateSession();
  const after = await fetch(url, { headers });
  step('DELETE', after.status === 404, `then ${after.status}`);
  await client.close();
  return steps;

  async function call(name: string, args = {}, onprogress?: (chapter: number) => void): Promise<string> {
    const options = onprogress && { onprogress: (report: { progress: number }) => onprogress(report.progress) };
    const { content } = await client.callTool({ name, arguments: args }, options);
    return content.map((item) => (item.type === 'text' ? item.text : '')).join('\n');
  }
}
