import { eventRequirements } from './requirements/events.ts';
import { lifecycleRequirements, storeRequirements } from './requirements/lifecycle.ts';
import { sessionRequirements } from './requirements/sessions.ts';
import { stateRequirements } from './requirements/state.ts';

/**
 * Id of a promise, such as `events.append.concurrent`: noun, operation, promise. Ids are stable.
 */
export type RequirementId =
  | keyof typeof sessionRequirements
  | keyof typeof stateRequirements
  | keyof typeof eventRequirements
  | keyof typeof lifecycleRequirements
  | keyof typeof storeRequirements;

/** The sentence of every promise that the kit proves, by its id. */
export const requirements: Readonly<Record<RequirementId, string>> = {
  ...sessionRequirements,
  ...stateRequirements,
  ...eventRequirements,
  ...lifecycleRequirements,
  ...storeRequirements,
};
