import type { JsonRpcNotification } from '../protocol/json-rpc.ts';
import type { AnySession } from '../store/session-handle.ts';
import { messageFrame } from '../stream/sse.ts';

/** The parts of a server's capabilities that are read. */
interface Capabilities {
  readonly logging?: object;
  readonly tools?: { readonly listChanged?: boolean };
  readonly prompts?: { readonly listChanged?: boolean };
  readonly resources?: { readonly listChanged?: boolean };
}

const LOST = 'Messages of the server were lost: the client was away for longer than they are kept';

/**
 * Frames that notify a client of messages that it will not get. A server may only send what it has
 * declared: a log message, and that its lists have changed, since the news of that may be lost. The
 * frames have no event id: they are not in the log.
 *
 * @param isLost `false`: there are none.
 */
export function lossFrames({ protocol }: AnySession, isLost: boolean): string {
  if (!isLost) return '';
  const { logging, ...lists } = (protocol.serverCapabilities ?? {}) as Capabilities;
  const methods = (['tools', 'prompts', 'resources'] as const)
    .filter((name) => lists[name]?.listChanged === true)
    .map((name) => ({ method: `notifications/${name}/list_changed` }));
  const log = { method: 'notifications/message', params: { level: 'warning', logger: 'mcp-session', data: LOST } };
  return [...(logging === undefined ? [] : [log]), ...methods]
    .map((each): JsonRpcNotification => ({ jsonrpc: '2.0', ...each }))
    .map((message) => messageFrame({ id: undefined, message }))
    .join('');
}
