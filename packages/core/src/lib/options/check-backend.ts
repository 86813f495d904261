import { kindOf, wrongKind } from '../values/option-checks.ts';
import type { SessionBackend } from '../contract/backend.ts';

/** The methods that every backend has, in the order of {@link SessionBackend}. */
const METHODS = [
  'createSession',
  'readSession',
  'updateSession',
  'touchSession',
  'endSession',
  'listSessions',
  'countSessions',
  'countKinds',
  'sweep',
  'readState',
  'commitState',
  'clearState',
  'appendEvents',
  'readEvents',
  'trimEvents',
  'readHeads',
  'migrate',
  'ping',
  'close',
] as const satisfies readonly (keyof SessionBackend)[];

/** @throws TypeError if the value cannot be a backend. */
export function checkBackend(backend: unknown): void {
  const given = (backend ?? {}) as Partial<SessionBackend> & { readonly backendName?: unknown };
  const missing = METHODS.filter((name) => typeof given[name] !== 'function');
  if (typeof given.backendName === 'string') {
    throw new TypeError('Backend of createSessionStore is a session store, which has a backend already');
  }
  if (missing.length === METHODS.length) throw wrongKind('Backend of createSessionStore is', backend, 'a backend');
  if (missing.length > 0) {
    throw new TypeError(`Backend of createSessionStore lacks the methods ${missing.join(', ')}`);
  }
  const { name, capabilities } = given;
  if (typeof name !== 'string') throw new TypeError(`Name of the backend is ${kindOf(name)}, not a string`);
  if (typeof capabilities !== 'object' || capabilities === null) {
    throw new TypeError(`Capabilities of the backend are ${kindOf(capabilities)}, not an object`);
  }
}
