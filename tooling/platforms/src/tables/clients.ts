/** A client from the npm registry that the tests run. */
export interface Client {
  readonly name: string;
  /** The package of the catalog, in the version that was tested. */
  readonly packageName: string;
  /** What the tests do with the client, in Markdown. */
  readonly tested: string;
  /** What a user must do, in Markdown. */
  readonly set: string;
  /** What a user would not expect, in Markdown. */
  readonly surprises: string;
}

const STORY = 'The story';

/** Every client of the tests. */
export const clients: readonly Client[] = [
  {
    name: 'TypeScript SDK v2',
    packageName: '@modelcontextprotocol/client',
    tested: STORY,
    set: 'Nothing',
    surprises:
      'It tries a broken stream twice, at the interval that the server named, and then gives the stream up: see `restartRetryMs`',
  },
  {
    name: 'TypeScript SDK v1',
    packageName: '@modelcontextprotocol/sdk',
    tested: 'The same steps, in the tests of `packages/http`',
    set: 'Nothing',
    surprises: 'As v2',
  },
  {
    name: 'mcp-remote',
    packageName: 'mcp-remote',
    tested: `${STORY}, through standard input and output`,
    set: '`--transport http-only`',
    surprises: 'It begins two sessions, uses the second one, and sends no DELETE: both expire',
  },
  {
    name: 'Inspector, command line',
    packageName: '@modelcontextprotocol/inspector',
    tested: '`tools/list`, a call whose server is killed',
    set: '`--transport http`',
    surprises: 'Each run begins a session and sends no DELETE: the session expires',
  },
];
