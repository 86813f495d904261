import { administrationBugs } from './administration.ts';
import { appendBugs } from './appends.ts';
import type { PlantedBug } from './bug.ts';
import { endingBugs } from './endings.ts';
import { kindBugs } from './kinds.ts';
import { leftoverBugs } from './leftovers.ts';
import { lifecycleBugs } from './lifecycle.ts';
import { limitBugs } from './limits.ts';
import { listingBugs } from './listing.ts';
import { processBugs } from './processes.ts';
import { readingBugs } from './reading.ts';
import { sessionBugs } from './sessions.ts';
import { stateBugs } from './state.ts';
import { storeBugs } from './store.ts';
import { sweepBugs } from './sweeps.ts';
import { tokenBugs } from './tokens.ts';
import { trimBugs } from './trims.ts';
import { updateBugs } from './updates.ts';

export const bugs: readonly PlantedBug[] = [
  ...lifecycleBugs,
  ...administrationBugs,
  ...processBugs,
  ...storeBugs,
  ...kindBugs,
  ...sessionBugs,
  ...updateBugs,
  ...endingBugs,
  ...sweepBugs,
  ...leftoverBugs,
  ...stateBugs,
  ...limitBugs,
  ...appendBugs,
  ...tokenBugs,
  ...readingBugs,
  ...trimBugs,
  ...listingBugs,
];
