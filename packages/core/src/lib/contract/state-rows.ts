/** One key of a session's state. */
export interface StateRow {
  readonly key: string;
  /** JSON text. Opaque. */
  readonly value: string;
  /** Number of the commit that wrote it, 1 or more. */
  readonly version: number;
}

/** A write of one key. */
export interface StateWrite {
  /**
   * Any well-formed text of 1 to 255 bytes of UTF-8 (`MAX_KEY_BYTES`). It may hold U+0000, dots,
   * quotes and characters beyond the BMP, and may be `__proto__`.
   */
  readonly key: string;
  /** JSON text; `undefined` removes the key. */
  readonly value: string | undefined;
  /**
   * UTF-8 bytes of key and value together; 0 if the key is removed. Counts towards {@link
   * StateLimits.maxBytes}.
   */
  readonly bytes: number;
  /**
   * The version that the key must have; 0 means that it must not exist, `undefined` accepts any.
   */
  readonly expectedVersion: number | undefined;
}

/** How much state a session may hold. */
export interface StateLimits {
  readonly maxKeys: number;
  /** Sum of the `bytes` of all keys. */
  readonly maxBytes: number;
}

/** Writes of one or more different keys of a session, all or nothing. */
export interface StateCommit {
  readonly sessionId: string;
  /** 1 to 64 writes (`MAX_COMMIT_WRITES`), no key twice. */
  readonly writes: readonly StateWrite[];
  readonly limits: StateLimits;
  /**
   * Renews the session with the commit, as `touchSession` does; `undefined` leaves its times alone.
   */
  readonly expiresAt: number | undefined;
}

/** The outcome of a {@link StateCommit}. Unless it is `committed`, nothing was changed. */
export type StateResult =
  | {
      readonly status: 'committed';
      /** Number of this commit: the version of every key that it wrote. */
      readonly version: number;
      /** For each write in order: whether the key existed before. */
      readonly existed: readonly boolean[];
    }
  | {
      readonly status: 'conflict';
      /** The first key, in the order of the writes, that did not have its expected version. */
      readonly key: string;
      /** The present row of that key; `undefined` if it does not exist. */
      readonly current: StateRow | undefined;
    }
  | { readonly status: 'limit'; readonly limit: keyof StateLimits };
