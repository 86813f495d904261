// What a hostile client sends, the same in every run.
import type { InputResponses } from '../../src/index.ts';

/** Numbers from 0 up to, but not including, 1, that are the same in every run: mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const random: () => number = randomFrom(2_026);
const whole = (below: number): number => Math.floor(random() * below);
export const pick = <T>(list: readonly T[]): T => list[whole(list.length)] as T;

function nested(levels: number): unknown {
  let value: unknown = 'x';
  for (let level = 0; level < levels; level++) value = level % 2 === 0 ? [value] : { value };
  return value;
}

/** A value that nobody expects. */
export function odd(): unknown {
  return pick<() => unknown>([
    () => null,
    () => true,
    () => whole(2 ** 31) - 2 ** 30,
    () => -0.5,
    () => 1e308,
    () => '',
    () => '\0',
    () => '\uD800',
    () => '../../etc/passwd',
    () => "' or 1=1 --",
    () => '__proto__',
    () => 'x'.repeat(whole(random() < 0.01 ? 300_000 : 300)),
    () => [],
    () => ({}),
    () => nested(whole(random() < 0.02 ? 3_000 : 70)),
    () => JSON.parse('{ "__proto__": { "a": 1 }, "constructor": 1, "hasOwnProperty": 2, "then": 3 }') as unknown,
    () => Array.from({ length: whole(200) }, (_, index) => pick([index, String(index), null, {}])),
    () => Object.fromEntries(Array.from({ length: whole(20) }, (_, key) => [String(pick([key, 'name', ''])), key])),
  ])();
}

/** An id that is nearly that of a task, or no id at all. */
export function idLike(id: string): unknown {
  const at = whole(id.length);
  return pick<() => unknown>([
    () => id,
    () => id.slice(0, at),
    () => id.slice(at),
    () => id + id,
    () => `${id.slice(0, at)}${pick(['A', '9', '-', '_', ' ', '.', '\n', '\0', 'é'])}${id.slice(at + 1)}`,
    () => id.toUpperCase(),
    () => ` ${id}`,
    () => [id],
    () => ({ taskId: id }),
    () => `cart_${id.slice(5)}`,
    () => 'task_AAAAAAAAAAAAAAAAAAAAAA',
    odd,
  ])();
}

export function answersLike(): InputResponses {
  const key = pick(['name', 'other', '', '__proto__', 'x'.repeat(1_000)]);
  const answer = pick<() => unknown>([() => ({ action: 'accept', content: odd() }), () => ({ action: odd() }), odd])();
  return (random() < 0.2 ? odd() : { [key]: answer }) as InputResponses;
}
