import { kindOf, wrongKind } from '../values/option-checks.ts';
import type { SessionBackend } from '../contract/backend.ts';

/** The methods of a backend, and whether it may lack them. */
type Methods = {
  [
    Name in keyof SessionBackend as NonNullable<SessionBackend[Name]> extends (...args: never[]) => unknown
      ? Name
      : never
  ]-?: undefined extends SessionBackend[Name] ? 'optional' : 'required';
};

/**
 * In the order of {@link SessionBackend}. A list that lacks one of its methods does not compile.
 */
const METHODS = {
  createSession: 'required',
  readSession: 'required',
  updateSession: 'required',
  touchSession: 'required',
  endSession: 'required',
  listSessions: 'required',
  countSessions: 'required',
  countKinds: 'required',
  sweep: 'required',
  readState: 'required',
  commitState: 'required',
  clearState: 'required',
  appendEvents: 'required',
  readEvents: 'required',
  trimEvents: 'required',
  readHeads: 'required',
  readChangeMarker: 'optional',
  watch: 'optional',
  identifyProcess: 'optional',
  findEndedProcesses: 'optional',
  migrate: 'required',
  readSchemaVersion: 'optional',
  planMigration: 'optional',
  diagnose: 'optional',
  ping: 'required',
  close: 'required',
} as const satisfies Methods;

const NAMES = Object.keys(METHODS) as (keyof Methods)[];
const REQUIRED = NAMES.filter((name) => METHODS[name] === 'required');
const OPTIONAL = NAMES.filter((name) => METHODS[name] === 'optional');

/** @throws TypeError if the value cannot be a backend. */
export function checkBackend(backend: unknown): void {
  const given = (backend ?? {}) as Partial<SessionBackend> & { readonly backendName?: unknown };
  const missing = REQUIRED.filter((name) => typeof given[name] !== 'function');
  if (typeof given.backendName === 'string') {
    throw new TypeError('Backend of createSessionStore is a session store, which has a backend already');
  }
  if (missing.length === REQUIRED.length) throw wrongKind('Backend of createSessionStore is', backend, 'a backend');
  if (missing.length > 0) {
    throw new TypeError(`Backend of createSessionStore lacks the methods ${missing.join(', ')}`);
  }
  for (const method of OPTIONAL) {
    const value = given[method];
    if (value === undefined || typeof value === 'function') continue;
    throw new TypeError(`Method ${method} of the backend is ${kindOf(value)}, not a function`);
  }
  const { name, capabilities } = given;
  if (typeof name !== 'string') throw new TypeError(`Name of the backend is ${kindOf(name)}, not a string`);
  if (typeof capabilities !== 'object' || capabilities === null) {
    throw new TypeError(`Capabilities of the backend are ${kindOf(capabilities)}, not an object`);
  }
}
