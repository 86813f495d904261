/** Characters that change how others are shown, or show nothing. Clients choose stored texts. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u{e0000}-\u{e007f}]/gu;

/** A stored text in one line, with nothing hidden in it. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (character) => {
    if (character === '\n') return '⏎';
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
  });
}

/** The part of an id that is no secret: the time of a UUID v7, and at most a quarter of another id. */
export function shortId(id: string): string {
  if (/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-/.test(id)) return `${id.slice(0, 13)}…`;
  // A handle's id begins with its kind.
  const prefix = /^[a-z][a-z0-9_-]*_(?=[\w-]{22}$)/.exec(id)?.[0] ?? '';
  return `${id.slice(0, Math.min(prefix.length + 4, Math.max(prefix.length, Math.min(8, id.length / 4))))}…`;
}

/** A span in its largest unit, such as `12 m`. */
export function span(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} m`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** A span that counts down, such as `28:41` or `3 d 04:12:09`. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1_000));
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  const days = Math.floor(seconds / 86_400);
  if (days > 999) return 'never';
  const hours = (seconds % 86_400) / 3_600;
  const rest = `${two((seconds % 3_600) / 60)}:${two(seconds % 60)}`;
  if (days > 0) return `${days} d ${two(hours)}:${rest}`;
  return hours >= 1 ? `${two(hours)}:${rest}` : rest;
}

/** A time of the day with milliseconds. */
export function clock(time: number): string {
  const date = new Date(time);
  const two = (value: number): string => String(value).padStart(2, '0');
  const at = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  return `${at}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** A date and time; a time beyond what dates hold is `never`. */
export function when(time: number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime()) || date.getFullYear() > 9_000) return 'never';
  return date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

export function number(value: number): string {
  return value.toLocaleString('en-US');
}

/** A size in UTF-16 code units, which are bytes for most JSON. */
export function size(units: number): string {
  if (units < 1_024) return `${units} B`;
  return units < 1_048_576 ? `${(units / 1_024).toFixed(1)} KiB` : `${(units / 1_048_576).toFixed(1)} MiB`;
}
