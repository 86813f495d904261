/** Numbers from a seed, so that a failed run can be repeated (mulberry32). */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to below the limit. */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  }

  one<T>(of: readonly T[]): T {
    return of[this.below(of.length)] as T;
  }
}

const CHARACTERS = Array.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=~ \n\0\ud800é');

type Change = (dice: Dice, secret: string, own: string) => string;

/** Replaces the characters from one place to another. */
function splice(text: string, begin: number, end: number, by: string): string {
  return text.slice(0, begin) + by + text.slice(end);
}

const CHANGES: readonly Change[] = [
  // Another character.
  (dice, secret) => {
    const at = dice.below(secret.length);
    return splice(secret, at, at + 1, dice.one(CHARACTERS));
  },
  (dice, secret) => splice(secret, dice.below(secret.length), secret.length, ''),
  (dice, secret) => splice(secret, 0, 1 + dice.below(secret.length), ''),
  (dice, secret) => {
    const at = dice.below(secret.length);
    return splice(secret, at, at, dice.one(CHARACTERS));
  },
  // The letters in capitals, in small ones, backwards.
  (_, secret) => secret.toUpperCase(),
  (_, secret) => secret.toLowerCase(),
  (_, secret) => Array.from(secret).toReversed().join(''),
  // The beginning of one and the end of the other, also at the joints of a token.
  (dice, secret, own) => {
    const at = dice.below(Math.min(secret.length, own.length));
    return own.slice(0, at) + secret.slice(at);
  },
  (dice, secret, own) => {
    const at = dice.below(Math.min(secret.length, own.length));
    return secret.slice(0, at) + own.slice(at);
  },
  (dice, secret, own) => {
    const [begin, length] = [dice.below(secret.length), dice.below(30)];
    return splice(own, begin, begin + length, secret.slice(begin, begin + length));
  },
  // As it is: a stranger who has seen it.
  (_, secret) => secret,
  // Something else altogether.
  (dice, secret) => Array.from(secret, () => dice.one(CHARACTERS)).join(''),
  (dice, secret) => {
    const [begin, body = ''] = [secret.slice(0, secret.lastIndexOf('.') + 1), secret.split('.').at(-1)];
    return begin + Array.from(body, () => CHARACTERS[dice.below(64)]).join('');
  },
];

/**
 * A text that somebody could try who wants what a secret text stands for.
 *
 * @param own What they have got themselves, of the same kind.
 */
export function changed(dice: Dice, secret: string, own: string): string {
  const once = dice.one(CHANGES)(dice, secret, own);
  return dice.below(3) === 0 && once !== '' ? dice.one(CHANGES)(dice, once, own) : once;
}

/** How long calls take. */
export interface Times {
  /** The difference of the medians of two calls, in milliseconds. */
  difference(one: string, other: string): number;
  /**
   * The spread of single calls, in milliseconds: the middle half of them is within it. At least
   * 1 µs: in a run that nothing disturbs, the spread falls below what the order of the calls makes.
   */
  readonly noise: number;
}

const LEAST_NOISE_MS = 0.001;

/** Times calls in turn, so that what else the machine does delays them alike. */
export async function medianTimes(
  rounds: number,
  calls: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<Times> {
  const taken = new Map(Object.keys(calls).map((name) => [name, [] as number[]]));
  const entries = Object.entries(calls);
  for (let round = 0; round < rounds; round++) {
    for (const [name, call] of round % 2 === 0 ? entries : entries.toReversed()) {
      const begin = performance.now();
      await call();
      // The first ones are slower, whatever they ask.
      if (round >= rounds / 5) taken.get(name)?.push(performance.now() - begin);
    }
  }
  const at = (name: string, part: number): number => {
    const sorted = (taken.get(name) ?? []).toSorted((a, b) => a - b);
    return sorted[Math.floor(sorted.length * part)] ?? 0;
  };
  return {
    difference: (one, other) => Math.abs(at(one, 0.5) - at(other, 0.5)),
    noise: Math.max(LEAST_NOISE_MS, ...entries.map(([name]) => at(name, 0.75) - at(name, 0.25))),
  };
}
