import { INTERNAL_ERROR, type JsonRpcRequest } from '../protocol/json-rpc.ts';
import { HttpError } from '../protocol/http-errors.ts';
import { type ClientSettings, NO_SETTINGS, settingsOf } from './client-settings.ts';
import type { LocalSession } from './local-session.ts';
import type { SessionTransport } from './transport.ts';

/** Tells a new server what the one before it was told. @throws HttpError 500 where it refuses. */
export async function replay(local: LocalSession, extra: unknown, onError: (error: unknown) => void): Promise<void> {
  const { protocol } = local.session;
  const params = protocol.initializeParams as Readonly<Record<string, unknown>>;
  const { error } = await local.transport.call(restoring('initialize', params), extra);
  if (error !== undefined) throw new HttpError(500, 'Server refused to restore the session', INTERNAL_ERROR);
  local.clientSettings = settingsOf(protocol);
  // It has asked for no roots yet.
  const known = { ...NO_SETTINGS, rootsVersion: local.clientSettings.rootsVersion };
  await tell(local.transport, known, local.clientSettings, extra, onError);
}

/** Tells a server what its client has said since it was told last. */
export async function tell(
  transport: SessionTransport,
  known: ClientSettings,
  latest: ClientSettings,
  extra: unknown,
  onError: (error: unknown) => void,
): Promise<void> {
  if (latest.initialized && !known.initialized)
    transport.notify({ jsonrpc: '2.0', method: 'notifications/initialized' }, extra);
  if (latest.rootsVersion !== known.rootsVersion)
    transport.notify({ jsonrpc: '2.0', method: 'notifications/roots/list_changed' }, extra);
  const answers = await Promise.all([
    ...(latest.logLevel === undefined || latest.logLevel === known.logLevel
      ? []
      : [transport.call(restoring('logging/setLevel', { level: latest.logLevel }), extra)]),
    ...without(known, latest).map((uri) => transport.call(restoring('resources/unsubscribe', { uri }), extra)),
    ...without(latest, known).map((uri) => transport.call(restoring('resources/subscribe', { uri }), extra)),
  ]);
  for (const answer of answers)
    if (answer.error !== undefined && !transport.closed)
      onError(new Error(`Restored server refused what it had accepted: ${answer.error.message}`));
  // What the server says at once when it hears of `initialized` was said before, and belongs to this turn.
  await new Promise(setImmediate);
}

/** The subscriptions of one that are none of the other. */
function without(one: ClientSettings, other: ClientSettings): string[] {
  const others = new Set(other.subscriptions);
  return one.subscriptions.filter((uri) => !others.has(uri));
}

function restoring(method: string, params: Readonly<Record<string, unknown>>): JsonRpcRequest {
  return { jsonrpc: '2.0', id: `restore-${method}`, method, params };
}
