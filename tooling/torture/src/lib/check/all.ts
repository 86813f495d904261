import { checkLives } from './life.ts';
import { checkLogs } from './log.ts';
import { checkReaders } from './readers.ts';
import type { Round } from './round.ts';
import { checkState } from './state.ts';

/** All checks of a round. */
export function problemsOf(round: Round): string[] {
  return [checkLogs, checkReaders, checkState, checkLives].flatMap((check) => check(round));
}
