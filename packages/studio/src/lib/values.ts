import type { SessionEvent } from '@mcp-session/core';

/**
 * Longest JSON text of a value in a list, in UTF-16 code units. The page fetches the whole value
 * when it is opened.
 */
const MAX_LENGTH = 8_192;
/** How much of a longer text a list gets, in UTF-16 code units. */
const START_LENGTH = 1_024;

/** A stored value as its JSON text, which the page parses. */
export interface Shown {
  /** The text, or its beginning if the text is long. */
  readonly text: string;
  /** Length of the whole text, in UTF-16 code units. */
  readonly size: number;
}

/** An event as the page gets it. */
export interface ShownEvent extends Shown {
  readonly id: string;
  readonly seq: number;
  readonly streamId: string;
  readonly createdAt: number;
}

export function shown(value: unknown): Shown {
  const text = textOf(value);
  return { text: text.length <= MAX_LENGTH ? text : text.slice(0, START_LENGTH), size: text.length };
}

export function shownWhole(value: unknown): Shown {
  const text = textOf(value);
  return { text, size: text.length };
}

export function shownEvent({ id, seq, streamId, createdAt, message }: SessionEvent): ShownEvent {
  return { id, seq, streamId, createdAt, ...shown(message) };
}

function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // Nested deeper than this process can walk.
    if (error instanceof RangeError) return '"(nested too deeply to be shown)"';
    throw error;
  }
}
