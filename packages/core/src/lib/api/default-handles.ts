import { checkMade } from './check-given.ts';

/** The state handles that a session refers to by itself, one for each definition. */
export interface DefaultHandles {
  /** The id of the session's handle of a definition, as this object last saw it. */
  defaultHandle(name: string): string | undefined;

  /**
   * Makes a handle the session's own, unless another call was faster.
   *
   * @param replaced The id that may be replaced; `undefined`: the session must have none.
   * @returns The id that the session has now.
   * @throws SessionError `SESSION_NOT_FOUND`, `PROFILE_CONFLICT`.
   */
  keepDefaultHandle(name: string, id: string, replaced: string | undefined): Promise<string>;
}

/** @throws TypeError for an object that no store has made. */
export function defaultHandlesOf(session: object): DefaultHandles {
  return checkMade<DefaultHandles>(session, 'keepDefaultHandle');
}
