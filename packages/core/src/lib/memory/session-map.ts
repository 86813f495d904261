import type { SessionQuery, SessionRow } from '../contract/rows.ts';
import { SortedMap } from './sorted-map.ts';

interface Owned {
  readonly row: Pick<SessionRow, 'kind' | 'principal'>;
}

/**
 * Sessions by id, and an index by kind and by kind and principal. So a listing costs what it
 * returns, however many sessions of others there are and however often they change.
 */
export class SessionMap<Session extends Owned> extends Map<string, Session> {
  readonly #groups = new Map<string, SortedMap<Session>>();

  override set(id: string, session: Session): this {
    for (const name of groupsOf(session)) {
      const group = this.#groups.get(name) ?? new SortedMap();
      this.#groups.set(name, group.set(id, session));
    }
    return super.set(id, session);
  }

  override delete(id: string): boolean {
    const session = this.get(id);
    for (const name of session === undefined ? [] : groupsOf(session)) {
      const group = this.#groups.get(name);
      group?.delete(id);
      if (group?.size === 0) this.#groups.delete(name);
    }
    return super.delete(id);
  }

  override clear(): void {
    this.#groups.clear();
    super.clear();
  }

  /** The sessions that a query can find, expired ones included. */
  among({ kind, principal }: SessionQuery): SortedMap<Session> {
    return this.#groups.get(groupOf(kind, principal)) ?? new SortedMap();
  }
}

function groupsOf({ row: { kind, principal } }: Owned): string[] {
  return [groupOf(kind, undefined), groupOf(kind, principal)];
}

/** @param principal `undefined` for all sessions of the kind. */
function groupOf(kind: string, principal: string | null | undefined): string {
  return JSON.stringify(principal === undefined ? [kind] : [kind, principal]);
}
