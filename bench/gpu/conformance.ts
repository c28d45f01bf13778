/** The tests of lib/engine/conformance on one backend: `conformance.js onnx/webgpu`, with a reporter of node:test. */
import { test } from 'node:test';
import { describeEngine } from '../../lib/engine/conformance/describe-engine.js';
import { countTensors, tensorflowRefusal } from '../../lib/engine/conformance/engine-under-test.js';
import { BACKEND_REGISTRY, backendTitle } from '../../lib/engine/engine-registry.js';
import { prepareEngines } from '../../lib/engine/native-environment.js';
import { requireCard } from './machine.js';

const backend = BACKEND_REGISTRY.find((each) => backendTitle(each) === process.argv[2]);
if (backend === undefined) throw new Error(`there is no backend ${process.argv[2]}`);
prepareEngines({ threads: 1 });
describeEngine(backendTitle(backend), {
  load: () => backend.load(),
  // As in the tests of each: cards may multiply with fewer bits (TF32), and drivers keep memory of their own.
  ...(backend.device === 'gpu' ? { tolerance: 1e-3, growthMb: 100 } : {}),
  ...(backend.engine === 'tensorflow' ? { count: countTensors, refusal: tensorflowRefusal } : {}),
});
/** Last, and among all choices of tests. */
test('the driver of a card has computed', () => {
  requireCard(backend);
});
