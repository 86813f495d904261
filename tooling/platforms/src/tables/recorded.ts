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

/** Every client that was run outside of the tests, as it was found last. */
export const recorded: readonly RecordedClient[] = JSON.parse(
  readFileSync(new URL('recorded.json', import.meta.url), 'utf8'),
) as RecordedClient[];
