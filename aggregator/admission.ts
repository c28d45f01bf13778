/** Decides, update by update, what goes into the average, and keeps the account of it. */
import { DataError } from '../lib/core/errors.js';
import type { Weights } from '../lib/core/weights.js';
import type { ExtraKinds } from '../lib/federation/client-side.js';
import { compareArchitecture, validateUpdate, validateWeights } from '../lib/federation/client-update.js';
import { USUAL_SCALE } from '../lib/federation/pixel-scale.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import type { UpdateCandidate } from './candidates.js';
import type { Lineage } from './lineage.js';

/** A model and the file that it came from. */
export interface NamedModel {
  readonly file: string;
  readonly model: KerasFile;
}

/** A global model that was read from its file. */
export interface RoundParent extends NamedModel {
  readonly sha256: string;
}

/** What error messages call it. */
export const ROUND_PARENT = 'the global model that the round started from';

/** A plain Keras model has none. */
const NO_EXTRAS = 'is a plain model, and the strategy needs what its client did';

/** Admits or rejects one model after the other. */
interface Admission {
  /**
   * Why the model of `candidate` does not count; null when it does.
   *
   * @throws {DataError} when it differs in architecture from those before and no parent tells which is right.
   */
  judge(candidate: UpdateCandidate, model: KerasFile): string | null;
  /** Whose architecture the result has: the parent's, or the first admitted model's. */
  reference(): NamedModel | undefined;
}

/** What models have to be like. */
interface AdmissionOptions {
  readonly parent: NamedModel | undefined;
  /** What the strategy needs of each update beside its weights. */
  readonly extras?: ExtraKinds | undefined;
  /** Why weights cannot be used, where that is known. */
  readonly whyUnusable?: ((weights: Weights) => string | null) | undefined;
}

/** An admission of models like `parent`, or like the first one where there is no parent. */
export function createAdmission(
  lineage: Lineage,
  { parent, extras, whyUnusable }: AdmissionOptions,
): Admission {
  const accepted = new Set<number>();
  let reference = parent;

  const check = (candidate: UpdateCandidate, model: KerasFile): string | null => {
    const { facts } = candidate;
    if (model.update?.client !== facts?.client) {
      if (candidate.sha256 === undefined) return 'was replaced by another update meanwhile';
      return `tells client ${model.update?.client ?? 'none'}, and client ${facts?.client} reported it`;
    }
    const { weights: like, scale } = (reference ?? { model }).model;
    // A plain Keras model says nothing of it.
    if (model.scale !== scale && (model.update ?? model.scale) !== undefined) {
      return `was trained on pixels of the scale ${model.scale ?? USUAL_SCALE}, not ${scale ?? USUAL_SCALE}`;
    }
    if (parent === undefined && reference !== undefined) {
      const difference = compareArchitecture(model.weights, like);
      if (difference !== null) {
        const expected = `the arrays of ${reference.file} (name the right model with --parent)`;
        throw new DataError({ file: candidate.file, expected, found: `that it ${difference}` });
      }
    }
    const { update, weights, extras: carried } = model;
    if (update === undefined) {
      return extras === undefined ? validateWeights(weights, like, { whyUnusable }) : NO_EXTRAS;
    }
    const told = { ...update, weights, extras: carried };
    const reason = validateUpdate(told, { ...lineage, like, extras, accepted, whyUnusable });
    if (reason !== null || update.examples === facts?.examples) return reason;
    return `counts ${update.examples} examples, not the ${facts?.examples} that its client reported`;
  };

  return {
    judge(candidate, model) {
      const reason = check(candidate, model);
      if (reason !== null) return reason;
      if (model.update) accepted.add(model.update.client);
      reference ??= { file: candidate.file, model };
      return null;
    },
    reference: () => reference,
  };
}
