// A process of the torture run: `node worker.ts <options as JSON>`. Its parent sends the order to
// stop, and then the numbers that its tails must reach.
import { type Drain, Worker, type WorkerOptions } from './lib/work/worker.ts';

const worker = await Worker.start(JSON.parse(process.argv[2] ?? '{}') as WorkerOptions);
process.on('message', (message: 'stop' | Drain) => {
  if (message === 'stop') worker.stop();
  else worker.drain(message);
});
// The run has ended, possibly early.
process.once('disconnect', () => process.exit());
process.send?.('ready');
await worker.work();
process.disconnect();
