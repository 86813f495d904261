import type { Line } from './line.ts';
import { v1 } from './v1.ts';
import { v2 } from './v2.ts';

/** Both lines of the official SDK: whatever holds for one is tested for the other. */
export const lines: readonly Line[] = [v1, v2];
