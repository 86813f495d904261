import type { Capabilities, NewSession, SessionBackend } from '@mcp-session/core/backend';
import { Finding, tellError } from './findings.ts';
import type { Peer, ProcessPeer } from './peer.ts';
import { requirements, type RequirementId } from './requirements.ts';
import type { SecondProcess, StoredRow } from './storage.ts';

/** What a case works with. */
export interface CaseContext {
  /** The backend under test: open and migrated. */
  readonly backend: SessionBackend;
  readonly capabilities: Capabilities;
  /** A kind of session that no other case uses, so that listings show the case's own sessions only. */
  readonly kind: string;
  readonly secondProcess: SecondProcess | undefined;
  /** How long a listing may lag behind writes, in milliseconds. See `SessionBackend.listSessions`. */
  readonly listLagMs: number;
  /** An id that no other case uses; ids with labels in byte order are in byte order. */
  id(label?: string): string;
  /** Creates a live session and gives its id. */
  live(given?: Partial<NewSession>, now?: number): Promise<string>;
  /** That many handles, the backend under test first: each with storage in common where it is shared, else that one backend again and again. */
  handles(count: number): Promise<readonly SessionBackend[]>;
  /** That many others: processes where the storage is shared, else callers in this one. */
  peers(count: number): Promise<readonly Peer[]>;
  /** One process of its own, which the case may kill. Only where there is `secondProcess`. */
  victim(): Promise<ProcessPeer>;
  /** All that is stored. Fails where the storage cannot show it but must. */
  rows(): Promise<readonly StoredRow[]>;
  /** Opens the storage again. The kit closes it. */
  reopen(): Promise<SessionBackend>;
}

/** One test of the kit, as data. */
export interface Case {
  /** The promise that it proves. */
  readonly id: RequirementId;
  /** What it shows, as the sentence of a test title. */
  readonly title: string;
  /** `own`: storage for itself, because it sweeps or closes. `unmigrated`: for itself, and `migrate` was not called. */
  readonly storage: 'common' | 'own' | 'unmigrated';
  readonly run: (context: CaseContext) => Promise<void>;
}

/** A backend did not do what was promised. The message says which promise, and what came in its place. */
export class BrokenPromiseError extends Error {
  override readonly name = 'BrokenPromiseError';
  /** Id of the promise; {@link requirements} has its sentence. */
  readonly id: RequirementId;

  /** @internal */
  constructor(backend: string, { id }: Case, reason: unknown) {
    super(`${requirements[id]} [${id}]\n${backend}: ${tell(reason)}`, { cause: reason });
    this.id = id;
  }
}

/** A case that shares its storage with others. */
export function define(id: RequirementId, title: string, run: Case['run']): Case {
  return { id, title, storage: 'common', run };
}

/** A case that has its storage for itself. */
export function defineFresh(id: RequirementId, title: string, run: Case['run']): Case {
  return { id, title, storage: 'own', run };
}

/** A case that migrates its storage itself. */
export function defineRaw(id: RequirementId, title: string, run: Case['run']): Case {
  return { id, title, storage: 'unmigrated', run };
}

function tell(reason: unknown): string {
  if (reason instanceof Finding) return reason.message;
  return `a call failed that was to succeed: ${tellError(reason)}`;
}
