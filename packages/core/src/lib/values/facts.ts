import type { JsonValue } from './json.ts';

/**
 * What any node needs to know of a session to speak the protocol (MCP 2025-11-25, basic/lifecycle).
 * All of it is optional: a session need not serve MCP over HTTP.
 */
export interface ProtocolFacts {
  /** Parameters of the client's `initialize` request: its version, capabilities and information. */
  readonly initializeParams?: JsonValue | undefined;
  /** The negotiated protocol version. */
  readonly protocolVersion?: string | undefined;
  readonly serverCapabilities?: JsonValue | undefined;
  /** Whether `notifications/initialized` has arrived. */
  readonly initialized?: boolean | undefined;
  /** The level that `logging/setLevel` last asked for. */
  readonly logLevel?: string | undefined;
  /** URIs that `resources/subscribe` asked for. */
  readonly subscriptions?: readonly string[] | undefined;
}

/**
 * Facts about a session for its application, such as a user agent or a plan. Keep them small; what
 * changes often belongs in the state.
 */
export type Metadata = { readonly [key: string]: JsonValue };
