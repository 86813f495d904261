import type { ConnectionsContext } from '../stream/connections.ts';
import type { StandaloneContext } from '../standalone/standalone-stream.ts';

/** What all sessions of a node have in common. */
export type NodeContext = ConnectionsContext & StandaloneContext;
