/**
 * Characters that control a terminal, or change the order of what it shows. Clients choose much of
 * what a store holds, so these characters are escaped.
 */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** A text in one line, without characters that control a terminal. */
export function printable(text: string): string {
  return text.replace(UNSAFE, escapeCharacter);
}

/** The same for text that spans lines, such as JSON with indentation. */
export function printableLines(text: string): string {
  return text.replace(UNSAFE, (character) => (character === '\n' ? character : escapeCharacter(character)));
}

function escapeCharacter(character: string): string {
  return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
}

const segmenter = new Intl.Segmenter();
/**
 * The most UTF-16 code units of one character where a text is cut. No common character has more.
 */
const MAX_UNITS = 16;

/** How many characters people see. */
export function lengthOf(text: string): number {
  return Array.from(segmenter.segment(text)).length;
}

/** At most `width` characters, with `…` where something was cut off. */
export function cut(text: string, width: number): string {
  if (text.length <= width) return text;
  const some = Array.from(segmenter.segment(text.slice(0, (width + 1) * MAX_UNITS)), ({ segment }) => segment);
  return some.length <= width ? text : `${some.slice(0, Math.max(0, width - 1)).join('')}…`;
}

/** A number with its noun, such as `1 session`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;

/** A time span in its largest unit, such as `12m`. */
export function span(ms: number): string {
  const [unit, length] = UNITS.find(([, each]) => Math.abs(ms) >= each) ?? ['s', 1_000];
  return `${Math.floor(Math.abs(ms) / length)}${unit}`;
}

/** A time as ISO 8601. */
export function iso(time: number): string {
  return new Date(Math.min(time, 8_640_000_000_000_000)).toISOString();
}

/**
 * Breaks lines between words so that each has at most `width` characters, if its words allow it.
 */
export function wrapped(text: string, width: number): string {
  const wrap = (line: string): string => {
    const lines = [''];
    for (const word of line.split(' ')) {
      const last = lines.at(-1) ?? '';
      const longer = last === '' ? word : `${last} ${word}`;
      if (last === '' || lengthOf(longer) <= width) lines[lines.length - 1] = longer;
      else lines.push(word);
    }
    return lines.join('\n');
  };
  return text.split('\n').map(wrap).join('\n');
}
