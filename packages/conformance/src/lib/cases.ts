import type { Case } from './case.ts';
import { administrationCases } from './cases/administration.ts';
import { appendCases } from './cases/appends.ts';
import { commitCases } from './cases/commits.ts';
import { concurrencyCases } from './cases/concurrency.ts';
import { endingCases } from './cases/endings.ts';
import { headCases } from './cases/heads.ts';
import { hintCases } from './cases/hints.ts';
import { horizonCases } from './cases/horizons.ts';
import { kindCases } from './cases/kinds.ts';
import { leftoverCases } from './cases/leftovers.ts';
import { lifecycleCases } from './cases/lifecycle.ts';
import { lifeCases } from './cases/life.ts';
import { limitCases } from './cases/limits.ts';
import { listingCases } from './cases/listing.ts';
import { parallelCases } from './cases/parallel.ts';
import { processCases } from './cases/processes.ts';
import { readingCases } from './cases/reading.ts';
import { sessionCases } from './cases/sessions.ts';
import { stateCases } from './cases/state.ts';
import { storeCases } from './cases/store.ts';
import { sweepCases } from './cases/sweeps.ts';
import { tailCases } from './cases/tails.ts';
import { tokenCases } from './cases/tokens.ts';
import { trimCases } from './cases/trims.ts';
import { updateCases } from './cases/updates.ts';
import { crashCase } from './crash.ts';
import { misuseCases } from './generated/misuse.ts';
import { generatedCases } from './generated/sequences.ts';

/** Every case of the kit, in the order in which a new backend is written. */
export const cases: readonly Case[] = [
  ...lifecycleCases,
  ...sessionCases,
  ...updateCases,
  ...lifeCases,
  ...parallelCases,
  ...endingCases,
  ...stateCases,
  ...commitCases,
  ...limitCases,
  ...appendCases,
  ...tokenCases,
  ...readingCases,
  ...trimCases,
  ...horizonCases,
  ...concurrencyCases,
  ...headCases,
  ...listingCases,
  ...sweepCases,
  ...leftoverCases,
  ...hintCases,
  ...processCases,
  ...storeCases,
  ...administrationCases,
  ...kindCases,
  ...tailCases,
  crashCase(4),
  ...generatedCases,
  ...misuseCases,
];
