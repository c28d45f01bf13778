/** The optimizer of a training: what the flags say, and where they say nothing what the model was compiled with. */
import { UsageError } from '../core/errors.js';
import type { KerasFile } from '../formats/keras/keras-file.js';
import { completeSettings } from '../settings/complete.js';
import { type OptimizerFlags, TRAINING } from '../settings/parts/training.js';
import { byPlace } from '../settings/setting.js';
import type { OptimizerSettings } from './engine.js';
import { readCompilation } from './keras-compilation.js';
import { optimizerOf } from './local-training.js';

/** An optimizer, and in words where it comes from if not from the flags alone. */
export interface StartingOptimizer {
  readonly optimizer: OptimizerSettings;
  readonly notes: readonly string[];
}

/**
 * The optimizer to train with; flags win over the model in `file`.
 *
 * @throws {DataError} when the file does not say with what it was compiled
 * @throws {UsageError} when it was compiled with what is not known here, and no flag chooses another one
 */
export function startingOptimizer(
  flags: OptimizerFlags,
  { file, path }: { readonly file: Pick<KerasFile, 'trainingConfig'>; readonly path: string },
): StartingOptimizer {
  const ofFlags = optimizerOf(withDefaults(flags));
  if (file.trainingConfig === undefined) return { optimizer: ofFlags, notes: [] };
  const { optimizer: compiled, otherLoss } = readCompilation(file.trainingConfig, path);
  const lossNotes =
    otherLoss === undefined
      ? []
      : [`${path} was compiled for the loss ${otherLoss}: the training here minimises the cross-entropy`];
  if (flags.optimizer !== undefined) {
    const note = `optimizer ${describe(ofFlags)} takes the place of the one that ${path} was compiled with`;
    return { optimizer: ofFlags, notes: [note, ...lossNotes] };
  }
  if (compiled.kind === 'unknown') {
    throw new UsageError(
      `${path} was compiled with an optimizer that fedbatch does not have: ${compiled.reason}. Choose sgd or adam as the optimizer.`,
    );
  }
  const { learningRate = compiled.learningRate } = flags;
  const optimizer =
    compiled.kind === 'sgd'
      ? { ...compiled, learningRate, momentum: flags.momentum ?? compiled.momentum }
      : { ...compiled, learningRate };
  const given = [
    ...(flags.learningRate === undefined ? [] : ['the learning rate']),
    ...(flags.momentum === undefined || compiled.kind !== 'sgd' ? [] : ['the momentum']),
  ];
  const but = given.length === 0 ? '' : `, but for ${given.join(' and ')}`;
  return {
    optimizer,
    notes: [`optimizer ${describe(optimizer)}, as ${path} was compiled${but}`, ...lossNotes],
  };
}

/** As one reads it in a line of progress. */
function describe(optimizer: OptimizerSettings): string {
  const rate = `learning rate ${optimizer.learningRate}`;
  if (optimizer.kind === 'sgd') return `sgd with ${rate} and momentum ${optimizer.momentum}`;
  const { beta1, beta2, epsilon } = optimizer;
  return `adam with ${rate}, beta ${beta1} and ${beta2}, epsilon ${epsilon}`;
}

/** The optimizer where no model says another one. */
function withDefaults(flags: OptimizerFlags) {
  const given = Object.fromEntries(Object.entries(flags).map(([name, value]) => [`training.${name}`, value]));
  return completeSettings([TRAINING], { given, named: byPlace }).training;
}
