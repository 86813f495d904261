import type { TestProject } from 'vitest/node';
import { globalSetup } from './lib/vitest.ts';

/** For `globalSetup` of a vitest configuration: tests get the address by `inject('dynamodb')`. */
const setup: (project: TestProject) => Promise<() => Promise<void>> = globalSetup('dynamodb');

export default setup;
