import { readFileSync } from 'node:fs';

/** A step of the story, as a client of another language reported it. */
export interface RecordedStep {
  readonly step: string;
  readonly ok: boolean;
  /** What the client saw; empty if there is nothing to say. */
  readonly note: string;
}

/** What `npx -y pnpm@12 clients` found out about a client. */
export interface RecordedClient {
  readonly name: string;
  readonly version: string;
  /** What a user would not expect, in Markdown. */
  readonly surprises: string;
  readonly steps: readonly RecordedStep[];
}

/** What `npx -y pnpm@12 platforms` found out about a platform. */
export interface RecordedPlatform extends RecordedClient {
  /** The day of the last run, such as 2026-11-27. */
  readonly date: string;
  /** What a user must do, in Markdown. */
  readonly set: string;
}

/** Every client that was run outside of the tests, as it was found last. */
export const recorded: readonly RecordedClient[] = read('recorded.json') as RecordedClient[];

/** Every platform that was run outside of the tests, as it was found last. */
export const recordedPlatforms: readonly RecordedPlatform[] = read('recorded-platforms.json') as RecordedPlatform[];

function read(file: string): unknown {
  return JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8'));
}
