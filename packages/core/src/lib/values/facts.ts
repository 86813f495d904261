import type { JsonValue } from './json.ts';

/**
 * What the protocol needs to know of a session on any node (MCP 2025-11-25, basic/lifecycle). All of it is optional: a session
 * need not serve MCP over HTTP.
 */
export interface ProtocolFacts {
  /** Parameters of the client's `initialize` request: its version, capabilities and information. */
  readonly initializeParams?: JsonValue | undefined;
  /** The version that was agreed on. */
  readonly protocolVersion?: string | undefined;
  readonly serverCapabilities?: JsonValue | undefined;
  /** Whether `notifications/initialized` has come. */
  readonly initialized?: boolean | undefined;
  /** The level that `logging/setLevel` asked for last. */
  readonly logLevel?: string | undefined;
  /** URIs that `resources/subscribe` asked for. */
  readonly subscriptions?: readonly string[] | undefined;
}

/** Facts about a session for its application, such as a user agent or a plan. Small; what changes often belongs in the state. */
export type Metadata = { readonly [key: string]: JsonValue };
