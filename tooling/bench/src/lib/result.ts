import type { Cost } from './capacity.ts';
import type { Times } from './compare.ts';

/** What an operation was compared with. */
export interface Beside {
  readonly name: string;
  readonly times: Times;
  /** How many times as fast ours is. */
  readonly ratio: number;
  /** The minimum ratio; `undefined`: there is no target. */
  readonly target?: number;
}

/** One operation: ours, and what it is compared with. */
export interface Row {
  readonly operation: string;
  /**
   * Ours. If the operation says so: code by hand, compared with the same code at another size.
   */
  readonly ours: Times;
  readonly beside: readonly Beside[];
  /** The maximum of our median, in milliseconds; `undefined`: there is no such target. */
  readonly targetMs?: number;
}

/** A figure other than the time of an operation. */
export interface Fact {
  readonly name: string;
  readonly value: string;
  readonly beside: string;
  readonly ratio?: number;
  readonly target?: string;
  /** Default: `false`. */
  readonly missed?: boolean;
}

/** What one operation costs, ours and the least that the database's interface allows. */
export interface Count {
  readonly operation: string;
  readonly ours: Cost;
  readonly least: Cost;
}

/** A part of the report. */
export interface Section {
  readonly id: string;
  readonly title: string;
  /** Markdown: what was measured against what. */
  readonly text: string;
  readonly rows?: readonly Row[];
  readonly facts?: readonly Fact[];
  readonly counts?: readonly Count[];
}

/** How much is measured: everything, or just enough for a smoke test. */
export interface Scale {
  readonly quick: boolean;
  readonly say: (line: string) => void;
}
