import type { ConnectionsContext } from '../stream/open-options.ts';
import type { StandaloneContext } from '../standalone/stream-get.ts';

/** What all sessions of a node have in common. */
export type NodeContext = ConnectionsContext & StandaloneContext;
