import type { StepResult } from './report.ts';
import type { Step } from './steps.ts';

/**
 * How many steps run at the same time. Half of the time of most packages' tests is waiting, for
 * timers, databases and processes; a type check uses one core.
 */
const AT_A_TIME = 2;

/**
 * Runs the steps of each phase, two at a time, in their order. What a step wrote is printed in one
 * piece when the step has ended. A step that is alone prints while it runs.
 *
 * @returns The results, in the order in which the steps ended.
 */
export async function runPhases(phases: readonly (readonly Step[])[]): Promise<StepResult[]> {
  const alone = phases.flat().length === 1;
  const results: StepResult[] = [];
  for (const steps of phases) {
    const queue = steps.values();
    // The lanes share the iterator: each takes the next step that no lane has begun.
    const lane = async () => {
      for (const step of queue) results.push(await runStep(step, alone));
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  }
  return results;
}

async function runStep(step: Step, alone: boolean): Promise<StepResult> {
  const startedAt = performance.now();
  if (alone) console.log(`\n== ${step.name}`);
  const { output, ...result } = await step.run(alone);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  if (!alone) console.log(`\n== ${step.name}`);
  if (output !== '') console.log(output.trimEnd());
  console.log(`   ${result.passed} passed, ${result.failed} failed, ${seconds} s`);
  return result;
}
