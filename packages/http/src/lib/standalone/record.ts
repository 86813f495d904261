import type { ProtocolFacts } from '@mcp-session/core';

/** Who holds the session's standalone stream: the fact `listener`. */
export interface Listener {
  /** Counts the connections that the stream has had; 0: none yet. */
  readonly n: number;
  /** The generation that the newest of them belongs to, see `StandaloneCursor`: the number of its first connection. */
  readonly generation: number;
  /** The node that the newest of them is open on; `undefined`: it is closed. */
  readonly nodeId: string | undefined;
  /** When it was opened, in Unix milliseconds. */
  readonly since: number | undefined;
  /** Id of the last event that was written to the newest of them; `undefined`: it is open, or nobody knows. */
  readonly written: string | undefined;
}

export function listenerOf({ listener }: ProtocolFacts): Listener {
  const { n, generation, nodeId, since, written } = (listener ?? {}) as { readonly [name: string]: unknown };
  return {
    n: typeof n === 'number' ? n : 0,
    generation: typeof generation === 'number' ? generation : 1,
    nodeId: typeof nodeId === 'string' ? nodeId : undefined,
    since: typeof since === 'number' ? since : undefined,
    written: typeof written === 'string' ? written : undefined,
  };
}

/** Id of the last event that counts as delivered to a listener: the fact `standaloneCursor`. `undefined`: none does. */
export function standaloneCursorOf({ standaloneCursor }: ProtocolFacts): string | undefined {
  return typeof standaloneCursor === 'string' ? standaloneCursor : undefined;
}
