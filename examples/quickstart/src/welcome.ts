const HEADERS = "-H 'content-type: application/json' -H 'accept: application/json, text/event-stream'";

/** What a newcomer can paste. The second command of the terminal needs the first one. */
export interface Examples {
  /** A configuration of MCP clients. */
  readonly client: string;
  /** Begins a session, and keeps its id in a variable of the shell. */
  readonly begin: string;
  /** Calls a tool in that session. */
  readonly call: string;
}

/** @param url Where the server answers. */
export function examplesFor(url: string): Examples {
  const initialize = message(1, 'initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'curl', version: '1.0.0' },
  });
  const addNote = message(2, 'tools/call', { name: 'add_note', arguments: { text: 'buy milk' } });
  const id = String.raw`tr -d '\r' | sed -n 's/^mcp-session-id: //p'`;
  return {
    client: JSON.stringify({ mcpServers: { notes: { type: 'http', url } } }),
    begin: `SESSION=$(curl -sS -D - -o /dev/null ${url} ${HEADERS} -d '${initialize}' | ${id}); echo "$SESSION"`,
    call: `curl -sS ${url} ${HEADERS} -H "mcp-session-id: $SESSION" -d '${addNote}'`,
  };
}

/** What the server prints when it listens. */
export function welcome(url: string, whereSessionsAre: string): string {
  const { client, begin, call } = examplesFor(url);
  return `MCP server listens on ${url}
Sessions are ${whereSessionsAre}

Try it
  in an MCP client   ${client}
  in a terminal      ${begin}
  and then           ${call}
  in a browser       ${new URL('/', url).href}
  see it survive     npx -y pnpm@12 demo

Ctrl-C stops it. Its log:`;
}

function message(id: number, method: string, params: object): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}
