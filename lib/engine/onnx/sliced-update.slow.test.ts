/** The optimizers that sliced-update.test.ts leaves out. */
import { OPTIMIZER_NAMES } from '../../model/optimizers/optimizer-names.js';
import { testSlices } from '../conformance/sliced-updates.js';

const QUICK: readonly string[] = ['sgd', 'adam', 'rmsprop'];
for (const kind of OPTIMIZER_NAMES.filter((name) => !QUICK.includes(name))) testSlices(kind);
