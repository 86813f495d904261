import { type JsonRpcMessage, type JsonRpcRequest, isNotification, textParam } from '../protocol/json-rpc.ts';
import type { SessionFacts } from '../store/session-record.ts';

/** What a client has told its session, and each server of the session must know. */
export interface ClientSettings {
  /** How often the settings were changed. */
  readonly version: number;
  readonly initialized: boolean;
  readonly logLevel: string | undefined;
  readonly subscriptions: readonly string[];
  /** How often the client has reported that its roots changed. */
  readonly rootsVersion: number;
}

export const NO_SETTINGS: ClientSettings = {
  version: 0,
  initialized: false,
  logLevel: undefined,
  subscriptions: [],
  rootsVersion: 0,
};

export function settingsOf({ protocol, record }: SessionFacts): ClientSettings {
  return {
    version: record.settingsVersion,
    initialized: protocol.initialized === true,
    logLevel: protocol.logLevel,
    subscriptions: protocol.subscriptions ?? [],
    rootsVersion: record.rootsVersion,
  };
}

// A session has 256 KiB of JSON for metadata and protocol facts. The settings must leave room for
// the rest.
const MAX_SUBSCRIPTIONS = 1_000;
const MAX_SUBSCRIPTIONS_BYTES = 65_536;
const MAX_URI_BYTES = 2_048;

/** The client asks for more than a session keeps. */
export class SettingsLimitError extends Error {}

/** A change of the settings. @throws SettingsLimitError */
export type SettingsChange = (facts: SessionFacts) => SessionFacts;

/** What a request changes after the server has accepted it; `undefined`: nothing. */
export function changeBy({ method, params }: JsonRpcRequest): SettingsChange | undefined {
  const level = method === 'logging/setLevel' ? textParam(params, 'level') : undefined;
  if (level !== undefined) return ({ protocol, record }) => ({ protocol: { ...protocol, logLevel: level }, record });
  const uri = textParam(params, 'uri');
  if (uri === undefined || !(method === 'resources/subscribe' || method === 'resources/unsubscribe')) return undefined;
  return ({ protocol, record }) => {
    const others = (protocol.subscriptions ?? []).filter((each) => each !== uri);
    const subscriptions = method === 'resources/unsubscribe' ? others : withSubscription(others, uri);
    return { protocol: { ...protocol, subscriptions }, record };
  };
}

/** What the notifications of a POST change; `undefined`: nothing. */
export function changeByNotifications(
  messages: readonly JsonRpcMessage[],
): { readonly change: SettingsChange; readonly initialized: boolean } | undefined {
  const has = (method: string): boolean =>
    messages.some((message) => isNotification(message) && message.method === method);
  const initialized = has('notifications/initialized');
  const roots = has('notifications/roots/list_changed') ? 1 : 0;
  if (!initialized && roots === 0) return undefined;
  const change: SettingsChange = ({ protocol, record }) => ({
    protocol: { ...protocol, ...(initialized && { initialized }) },
    record: { ...record, rootsVersion: record.rootsVersion + roots },
  });
  return { change, initialized };
}

function withSubscription(others: readonly string[], uri: string): string[] {
  const subscriptions = [...others, uri];
  if (jsonBytes(uri) > MAX_URI_BYTES) {
    throw new SettingsLimitError(`The URI of a subscription can have at most ${MAX_URI_BYTES} bytes as JSON`);
  }
  if (subscriptions.length > MAX_SUBSCRIPTIONS) {
    throw new SettingsLimitError(
      `A session can have ${MAX_SUBSCRIPTIONS} subscriptions; unsubscribe from others first`,
    );
  }
  if (jsonBytes(subscriptions.join('')) > MAX_SUBSCRIPTIONS_BYTES) {
    throw new SettingsLimitError(
      `The URIs of a session's subscriptions can have ${MAX_SUBSCRIPTIONS_BYTES} bytes as JSON; unsubscribe from others first`,
    );
  }
  return subscriptions;
}

/** The size of a text as it is stored: one byte of it can take six in JSON. */
function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - '""'.length;
}
