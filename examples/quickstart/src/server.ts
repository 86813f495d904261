import type { Session } from '@mcp-session/core';
import {
  acceptedContent,
  type CallToolResult,
  inputRequired,
  McpServer,
  type Progress,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { setTimeout as pause } from 'node:timers/promises';
import * as z from 'zod';

/**
 * What a session of this server keeps. The store checks and types it: `session.state.get('notes')`
 * returns an array of strings.
 */
export const state = {
  notes: z.array(z.string()),
  /** The last chapter that was read. */
  bookmark: z.int().positive(),
};

/**
 * An MCP server for one session. It keeps nothing in variables, because another process may get the
 * next request.
 *
 * @param log Gets a line when a tool has stored how far it is. Default: the console.
 */
export function createNotesServer(
  session: Session<typeof state>,
  log: (line: string) => void = (line) => console.log(line),
): McpServer {
  const server = new McpServer({ name: 'notes', version: '1.0.0' });

  server.registerTool(
    'add_note',
    { description: 'Keeps a note in this session', inputSchema: z.object({ text: z.string().min(1).max(1_000) }) },
    async ({ text }) => {
      const notes = await session.state.update('notes', (notes = []) => [...notes, text]);
      return say(`${notes.length} ${notes.length === 1 ? 'note' : 'notes'}`);
    },
  );

  server.registerTool('list_notes', { description: 'Lists the notes of this session' }, async () => {
    const notes = (await session.state.get('notes')) ?? [];
    return say(...(notes.length > 0 ? notes : ['No notes']));
  });

  const confirmation = z.object({ sure: z.boolean() });
  server.registerTool('clear_notes', { description: 'Removes all notes, if the user agrees' }, async ({ mcpReq }) => {
    // The SDK runs a tool again when the user has answered.
    const { inputResponses } = mcpReq;
    if (inputResponses === undefined) {
      const ask = inputRequired.elicit({ message: 'Remove all notes?', requestedSchema: confirmation });
      return inputRequired({ inputRequests: { ask } });
    }
    if (acceptedContent(inputResponses, 'ask', confirmation)?.sure !== true) return say('The notes were kept');
    return say((await session.state.remove('notes')) ? 'The notes were removed' : 'There were no notes');
  });

  server.registerTool(
    'read_book',
    {
      description: 'Reads a book slowly. A new call continues from the bookmark of the last one',
      inputSchema: z.object({
        chapters: z.int().min(1).max(100).default(10).describe('How long the book is'),
        delayMs: z.int().min(0).max(10_000).default(1_000).describe('How long a chapter takes, in milliseconds'),
      }),
    },
    async ({ chapters, delayMs }, { mcpReq }) => {
      const bookmark = (await session.state.get('bookmark')) ?? 0;
      const first = bookmark < chapters ? bookmark + 1 : 1;
      for (let chapter = first; chapter <= chapters; chapter++) {
        await pause(delayMs, undefined, { signal: mcpReq.signal });
        // Stored before it is sent: a client that lost its connection gets it when it reconnects.
        await report(mcpReq, { progress: chapter, total: chapters, message: `Read chapter ${chapter}` });
        // If the process dies before this line, the chapter is read again instead of skipped.
        await session.state.set('bookmark', chapter);
        log(`Stored chapter ${chapter} of ${chapters}`);
      }
      await session.state.remove('bookmark');
      return say(`Read chapters ${first} to ${chapters}`);
    },
  );

  return server;
}

/** A tool's answer, with one text content per line. */
function say(...lines: readonly string[]): CallToolResult {
  return { content: lines.map((text) => ({ type: 'text', text })) };
}

/** Tells the client how far a tool has come, if it wants to know. */
async function report({ _meta, notify }: ServerContext['mcpReq'], progress: Progress): Promise<void> {
  const progressToken = _meta?.progressToken;
  if (progressToken === undefined) return;
  await notify({ method: 'notifications/progress', params: { progressToken, ...progress } });
}
