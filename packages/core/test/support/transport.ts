import type { ProtocolFacts, Session } from '@mcp-session/core';
import { transportOf } from '@mcp-session/core/transport';

/** Changes the protocol's facts of a session, as a transport does. */
export async function updateProtocol<S>(
  session: Session<S>,
  change: (current: ProtocolFacts) => ProtocolFacts,
): Promise<ProtocolFacts> {
  const facts = await transportOf(session).updateTransport((current) => ({
    ...current,
    protocol: change(current.protocol),
  }));
  return facts.protocol;
}
