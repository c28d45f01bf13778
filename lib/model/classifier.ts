/** What every program asks of a model before it trains, tests or serves it: a classifier that can be computed with. */
import { DataError, type DataProblem } from '../core/errors.js';
import { whyUnusable } from '../federation/client-update.js';
import type { Layer } from './layers/registry.js';
import { lastLayer, type Model } from './model-description.js';
import { operationsBefore, planOperations } from './operations.js';
import { classCount } from './parameters.js';

type Fault = Pick<DataProblem, 'expected' | 'found' | 'mend'>;

/** Probabilities are sums of 32-bit exponentials. */
const SUM_TOLERANCE = 1e-3;

/** What cures a model that ends in logits. */
const APPEND_SOFTMAX = 'keras.Sequential([*model.layers, keras.layers.Softmax()]).save("model.h5")';

/**
 * Makes sure that a model tells classes apart, and that its weights are numbers.
 *
 * @param path its file, for errors
 * @throws {DataError} naming the last layer where that is no softmax of two classes or more, or the array of bad weights
 */
export function requireClassifier({ description, weights }: Model, path: string): void {
  const fail = (fault: Fault) => new DataError({ file: path, ...fault });
  if (operationsBefore(planOperations(description), 'softmax') === undefined) {
    throw fail({ expected: 'a classifier that ends in a softmax', ...faultOfLast(lastLayer(description)) });
  }
  const classes = classCount(description);
  if (classes < 2) throw fail({ expected: 'a classifier of at least 2 classes', found: `one of ${classes}` });
  const unusable = whyUnusable(weights);
  if (unusable !== null)
    throw fail({ expected: 'weights to compute with', found: `a model that ${unusable}` });
}

function faultOfLast(last: Layer | undefined): Pick<Fault, 'found' | 'mend'> {
  if (last === undefined) return { found: 'a model without layers' };
  if (last.kind === 'foreign') return { found: last.reason };
  const activation = 'activation' in last ? last.activation : undefined;
  if (activation === 'linear')
    return { found: `logits of the last layer, ${last.name}`, mend: APPEND_SOFTMAX };
  const kind = activation === undefined ? '' : ` with ${activation}`;
  return { found: `the last layer ${last.name}${kind}` };
}

/** What is wrong with a prediction of one example; undefined where it is a probability of each class. */
export function faultOf(probabilities: Float32Array): Fault | undefined {
  if (!probabilities.every(Number.isFinite))
    return { expected: 'a model that predicts probabilities', found: 'NaN or infinite ones' };
  const sum = probabilities.reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 1) < SUM_TOLERANCE) return undefined;
  return { expected: 'probabilities that sum to 1', found: `a sum of ${sum.toPrecision(4)}` };
}
