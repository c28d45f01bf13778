/** The program that a trial runs: `trial-program.js <engine>/<backend> <seconds to measure> <threads>`. */

import { messageOf } from '../core/errors.js';
import { EngineUnavailableError } from './engine.js';
import { BACKEND_REGISTRY, backendTitle } from './engine-registry.js';
import { prepareEngines } from './native-environment.js';
import { measuredModel, measureSpeed, trialInProcess } from './trial.js';
import type { TrialMessage } from './trial-process.js';

const [title = '', seconds = '0', threads = '1'] = process.argv.slice(2);
const say = (message: TrialMessage): Promise<void> =>
  new Promise((resolve) => process.stdout.write(`${JSON.stringify(message)}\n`, () => resolve()));

try {
  const backend = BACKEND_REGISTRY.find((each) => backendTitle(each) === title);
  if (backend === undefined) throw new Error(`there is no backend ${title}`);
  prepareEngines({ threads: Number(threads) });
  const engine = await backend.load();
  const session = await trialInProcess(engine);
  await say({ kind: 'works', session, ...(title === 'onnx/cpu' ? { blocks: await describeBlocks() } : {}) });
  if (Number(seconds) > 0) {
    const speed = await measureSpeed(engine, { seconds: Number(seconds), threads: Number(threads) });
    await say({ kind: 'measured', ...speed });
  }
} catch (error) {
  const unavailable = error instanceof EngineUnavailableError ? error.reason : undefined;
  const text = unavailable ?? messageOf(error);
  await say({ kind: 'refused', reason: (text.split('\n')[0] ?? '').replace(/\.$/, '') });
}
// Native libraries keep threads of their own: there is nothing to wait for.
process.exit();

/** Whether the default model is trained on blocked images on this processor, or why not. */
async function describeBlocks(): Promise<string> {
  const { probeBlocks } = await import('./onnx/probe-blocks.js');
  const probe = await probeBlocks(measuredModel());
  return probe.blockSize === undefined ? `no: ${probe.reason}` : `yes, of ${probe.blockSize} channels`;
}
