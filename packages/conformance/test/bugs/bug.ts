import type { RequirementId } from '@mcp-session/conformance';
import type { Bug } from '../support/plant.ts';

/** A backend that breaks one promise, and the case that must say so. */
export interface PlantedBug {
  /** What the backend does wrong; mostly seen in the field. */
  readonly name: string;
  /** The promise whose case must fail. */
  readonly breaks: RequirementId;
  /** What the failure must say, besides the promise. */
  readonly says: string;
  /**
   * Where the bug sits. `memory`: in a backend of one process. `storage`: in what several processes
   * share. `handles`: in each handle of each process on such storage.
   */
  readonly where: 'memory' | 'storage' | 'handles';
  readonly bug: Bug;
}

export function inMemory(breaks: RequirementId, name: string, says: string, bug: Bug): PlantedBug {
  return { name, breaks, says, where: 'memory', bug };
}

export function inStorage(breaks: RequirementId, name: string, says: string, bug: Bug): PlantedBug {
  return { name, breaks, says, where: 'storage', bug };
}

export function inHandles(breaks: RequirementId, name: string, says: string, bug: Bug): PlantedBug {
  return { name, breaks, says, where: 'handles', bug };
}

/** Lets others run: the gap between a check and the write that stands on it. */
export async function gap(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** What a database does that reads JSON and writes it anew. */
export function mangled(text: string): string {
  return JSON.stringify(JSON.parse(text));
}
