import type { Capabilities, NewSession, SessionBackend } from '@mcp-session/core/backend';
import { Finding, tellError } from './findings.ts';
import type { Peer, ProcessPeer } from './peer.ts';
import { requirements, type RequirementId } from './requirements.ts';
import type { SecondProcess, StoredRow } from './storage.ts';

/** The tools of a case. */
export interface CaseContext {
  /** The backend under test: open and migrated. */
  readonly backend: SessionBackend;
  readonly capabilities: Capabilities;
  /**
   * A kind of session that no other case uses, so that listings show the case's own sessions only.
   */
  readonly kind: string;
  readonly secondProcess: SecondProcess | undefined;
  /**
   * How long a listing may lag behind writes, in milliseconds. See `SessionBackend.listSessions`.
   */
  readonly listLagMs: number;
  /** An id that no other case uses; ids with labels in byte order are in byte order. */
  id(label?: string): string;
  /** Creates a live session and gives its id. */
  createLive(given?: Partial<NewSession>, now?: number): Promise<string>;
  /**
   * Handles on the storage, the backend under test first. If the storage is not shared, all are the
   * backend under test.
   */
  handles(count: number): Promise<readonly SessionBackend[]>;
  /** Other users of the storage: processes if it is shared, else callers in this process. */
  peers(count: number): Promise<readonly Peer[]>;
  /** A new process that the case may kill. Needs `secondProcess`. */
  killablePeer(): Promise<ProcessPeer>;
  /** Everything that is stored. Fails if the storage must show it and cannot. */
  rows(): Promise<readonly StoredRow[]>;
  /** Opens the storage again. The kit closes the backend. */
  reopen(): Promise<SessionBackend>;
}

/** One test of the kit, as data. */
export interface Case {
  /** The promise that it proves. */
  readonly id: RequirementId;
  /** What the case shows, for the title of a test. */
  readonly title: string;
  /**
   * `common`: the case can share its storage with others. `own`: it needs its own, because it
   * sweeps or closes. `unmigrated`: its own, before `migrate` was called.
   */
  readonly storage: 'common' | 'own' | 'unmigrated';
  readonly run: (context: CaseContext) => Promise<void>;
}

/** A backend broke a promise. The message says which one, and what the backend did instead. */
export class BrokenPromiseError extends Error {
  override readonly name = 'BrokenPromiseError';
  /** The id of the promise. {@link requirements} has its sentence. */
  readonly id: RequirementId;

  /** @internal */
  constructor(backend: string, { id }: Case, reason: unknown) {
    super(`${requirements[id]} [${id}]\n${backend}: ${tell(reason)}`, { cause: reason });
    this.id = id;
  }
}

/** A case that can share its storage with others. */
export function sharedCase(id: RequirementId, title: string, run: Case['run']): Case {
  return { id, title, storage: 'common', run };
}

/** A case that needs storage of its own. */
export function isolatedCase(id: RequirementId, title: string, run: Case['run']): Case {
  return { id, title, storage: 'own', run };
}

/** A case that migrates its storage itself. */
export function unmigratedCase(id: RequirementId, title: string, run: Case['run']): Case {
  return { id, title, storage: 'unmigrated', run };
}

function tell(reason: unknown): string {
  if (reason instanceof Finding) return reason.message;
  return `a call failed that should succeed: ${tellError(reason)}`;
}
