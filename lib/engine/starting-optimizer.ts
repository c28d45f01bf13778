/** The optimizer of a training: what the flags say, and where they say nothing what the model was compiled with. */
import { isDeepStrictEqual } from 'node:util';
import { UsageError } from '../core/errors.js';
import type { KerasFile } from '../formats/keras/keras-file.js';
import { otherPrecision } from '../model/keras/keras-settings.js';
import { OPTIMIZER_NAMES } from '../model/optimizers/optimizer-names.js';
import { hasSetting } from '../model/optimizers/registry.js';
import type { StepSchedule } from '../model/optimizers/schedules.js';
import { completeSettings } from '../settings/complete.js';
import { type OptimizerFlags, TRAINING } from '../settings/parts/training.js';
import { byPlace, kebab } from '../settings/setting.js';
import type { OptimizerSettings } from './engine.js';
import { readCompiledOptimizer } from './keras-compilation.js';
import { optimizerOf } from './local-training.js';

/** An optimizer, and in words where it comes from if not from the flags alone. */
export interface StartingOptimizer {
  readonly optimizer: OptimizerSettings;
  readonly notes: readonly string[];
}

/** A file that may say how it was compiled, and for which type of number. */
interface CompiledFile {
  readonly file: Pick<KerasFile, 'trainingConfig'> & Partial<Pick<KerasFile, 'modelConfig'>>;
  readonly path: string;
}

/**
 * The optimizer to train with; flags win over the model in `file`.
 *
 * @throws {DataError} when the file does not say with what it was compiled
 * @throws {UsageError} when it was compiled with what is not known here, and no flag chooses another one
 */
export function startingOptimizer(flags: OptimizerFlags, compiled: CompiledFile): StartingOptimizer {
  const { optimizer, notes } = optimizerFor(flags, compiled);
  const precision = otherPrecision(compiled.file.modelConfig);
  if (precision === undefined) return { optimizer, notes };
  return {
    optimizer,
    notes: [...notes, `${compiled.path} is a model in ${precision}: the training here is in float32`],
  };
}

function optimizerFor(flags: OptimizerFlags, { file, path }: CompiledFile): StartingOptimizer {
  const ofFlags = optimizerOf(withDefaults(flags));
  if (file.trainingConfig === undefined) return { optimizer: ofFlags, notes: [] };
  const compiled = readCompiledOptimizer(file.trainingConfig, path);
  if (flags.optimizer !== undefined) {
    // A file that the run itself has made says the same, but for a learning rate that follows its rounds.
    const asOfRun = { ...ofFlags, learningRate: compiled.kind === 'unknown' ? 0 : compiled.learningRate };
    if (isDeepStrictEqual(asOfRun, compiled)) return { optimizer: ofFlags, notes: [] };
    const note = `optimizer ${describe(ofFlags)} takes the place of the one that ${path} was compiled with`;
    return { optimizer: ofFlags, notes: [note] };
  }
  if (compiled.kind === 'unknown') {
    throw new UsageError(
      `${path} was compiled with an optimizer that fedbatch does not have: ${compiled.reason}. Choose one of ${OPTIMIZER_NAMES.join(', ')} as the optimizer.`,
    );
  }
  const { optimizer, given } = changedBy(flags, compiled);
  const but =
    given.length === 0 ? '' : `, but for ${given.map((name) => `the ${words(name)}`).join(' and ')}`;
  return {
    optimizer,
    notes: [`optimizer ${describe(optimizer)}, as ${path} was compiled${but}`],
  };
}

/** The compiled optimizer with what flags say instead; a learning rate takes the place of a schedule, a clip that of another. */
function changedBy(
  { nesterov, momentum, ...flags }: OptimizerFlags,
  compiled: OptimizerSettings,
): { readonly optimizer: OptimizerSettings; readonly given: readonly string[] } {
  const changes = {
    ...flags,
    ...(hasSetting(compiled.kind, 'momentum') ? { momentum } : {}),
    ...(hasSetting(compiled.kind, 'nesterov') ? { nesterov } : {}),
  };
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  const names = given.map(([name]) => name);
  const gone = (name: string) =>
    (name === 'schedule' && names.includes('learningRate')) || (isClip(name) && names.some(isClip));
  const kept = Object.entries(compiled).filter(([name]) => !gone(name));
  return { optimizer: Object.fromEntries([...kept, ...given]) as unknown as OptimizerSettings, given: names };
}

const isClip = (name: string) => name.startsWith('clip');

/** As one reads it in a line of progress. */
function describe({ kind, ...optimizer }: OptimizerSettings): string {
  const told = Object.entries(optimizer).map(([name, value]) => {
    if (name === 'schedule') return `schedule ${(value as StepSchedule).name} over the steps of a round`;
    return value === true ? words(name) : `${words(name)} ${value}`;
  });
  return `${kind} with ${told.slice(0, -1).join(', ')}${told.length > 1 ? ' and ' : ''}${told.at(-1)}`;
}

/** `learningRate` → `learning rate`. */
const words = (name: string) => kebab(name).replaceAll('-', ' ');

/** The optimizer where no model says another one. */
function withDefaults(flags: OptimizerFlags) {
  const given = Object.fromEntries(Object.entries(flags).map(([name, value]) => [`training.${name}`, value]));
  return completeSettings([TRAINING], { given, named: byPlace }).training;
}
