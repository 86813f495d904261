/** How long a session counts for the address that began it, in milliseconds. */
const WINDOW_MS = 3_600_000;
/**
 * How many addresses are remembered. Beyond, the one that began a session longest ago is forgotten.
 */
const MAX_ADDRESSES = 10_000;

/** A session that an address has begun, or is beginning. */
export interface Begun {
  /** `undefined`: it is being begun. */
  id: string | undefined;
  readonly at: number;
}

/**
 * Counts the sessions that this process began for each address within the last hour. Sessions that
 * have ended meanwhile count too: a client that begins and ends sessions costs as much.
 */
export class AddressCounts {
  readonly #clock: () => number;
  readonly #begun = new Map<string, Begun[]>();

  /** @param clock Returns milliseconds. Default: a monotonic clock. */
  constructor(clock: () => number = () => performance.now()) {
    this.#clock = clock;
  }

  /** The sessions of an address, oldest first. */
  of(address: string): readonly Begun[] {
    const since = this.#clock() - WINDOW_MS;
    return (this.#begun.get(address) ?? []).filter(({ at }) => at > since);
  }

  /** Counts one more session, before it is begun: a flood does not wait. */
  add(address: string): Begun {
    const begun = { id: undefined, at: this.#clock() };
    const all = [...this.of(address), begun];
    this.#begun.delete(address);
    this.#begun.set(address, all);
    const [oldest] = this.#begun.keys();
    if (this.#begun.size > MAX_ADDRESSES && oldest !== undefined) this.#begun.delete(oldest);
    return begun;
  }

  /** Counts a session no more: it could not be begun, or was ended for another one. */
  remove(address: string, begun: Begun): void {
    const left = (this.#begun.get(address) ?? []).filter((each) => each !== begun);
    if (left.length === 0) this.#begun.delete(address);
    else this.#begun.set(address, left);
  }
}
