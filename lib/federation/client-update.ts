/** A client update: its facts, its weights, and what makes it unusable. */
import { abbreviatedHash } from '../core/errors.js';
import { formatShape, sizeOf, type WeightArray, type Weights } from '../core/weights.js';
import { type ExtraKind, type ExtraKinds, type Extras, trainableOf } from './client-side.js';

/** Where an update comes from; stored in the same file as its weights so that they cannot come apart. */
export interface UpdateFacts {
  /** The client's number, from 0. */
  readonly client: number;
  /** The round that the update belongs to, from 1. */
  readonly round: number;
  /** Number of training examples behind the update: its weight in the average. */
  readonly examples: number;
  /** sha256 (hex) of the file of the global model that training started from. */
  readonly parent: string;
}

/** One client's weights after local training. */
export interface ClientUpdate extends UpdateFacts {
  readonly weights: Weights;
  /** What its strategy needs beside them. */
  readonly extras?: Extras | undefined;
}

/** What an update must agree with. */
interface UpdateExpectations {
  /** sha256 of the file of the global model that the round started from. */
  readonly parent: string;
  readonly round: number;
  /** A model with the names and shapes that all of this federation have; its values do not matter. */
  readonly like: Weights;
  /** What the strategy needs beside the weights. */
  readonly extras?: ExtraKinds | undefined;
  /** Why its weights, which are like the others', cannot be used; found by looking at them unless told. */
  readonly whyUnusable?: ((weights: Weights) => string | null) | undefined;
  /** Clients whose updates were accepted already. */
  readonly accepted: ReadonlySet<number>;
}

/** Why `update` is rejected, as the end of a sentence that begins with its name; null when it is good. */
export function validateUpdate(update: ClientUpdate, expected: UpdateExpectations): string | null {
  const { like, extras: kinds = {} } = expected;
  return (
    validateFacts(update, expected) ??
    validateWeights(update.weights, like, expected) ??
    validateExtras(update.extras, { kinds, like })
  );
}

function validateFacts(update: ClientUpdate, { parent, round, accepted }: UpdateExpectations): string | null {
  if (update.round !== round) return `belongs to round ${update.round}, not ${round}`;
  if (update.parent !== parent) {
    return `started from another global model (sha256 ${abbreviatedHash(update.parent)}, not ${abbreviatedHash(parent)})`;
  }
  if (!(update.examples > 0)) return `counts ${update.examples} examples`;
  if (accepted.has(update.client)) return `is a second update of client ${update.client}`;
  return null;
}

/** Why `weights` cannot be averaged with models like `like`; null when they can. */
export function validateWeights(
  weights: Weights,
  like: Weights,
  { whyUnusable: told }: Pick<UpdateExpectations, 'whyUnusable'> = {},
): string | null {
  if (told !== undefined) return compareArrays(weights, like) ?? told(weights);
  return compareArchitecture(weights, like) ?? whyUnusable(weights);
}

/** Why extras are not what a strategy needs, as the end of a sentence; null where they are. */
export function validateExtras(
  extras: Extras | undefined,
  { kinds, like }: { readonly kinds: ExtraKinds; readonly like: Weights },
): string | null {
  for (const [name, kind] of Object.entries(kinds)) {
    const extra = extras?.[name];
    if (extra === undefined) return `lacks ${name}, which the strategy needs of each update`;
    const reason = kind.kind === 'number' ? validateNumber(extra, kind) : validateTensor(extra, like);
    if (reason !== null) return `carries ${name} that ${reason}`;
  }
  return null;
}

function validateNumber(
  extra: number | Weights,
  { min, max }: Extract<ExtraKind, { kind: 'number' }>,
): string | null {
  if (typeof extra !== 'number') return 'is no number';
  return extra >= min && extra <= max ? null : `is ${extra}, not between ${min} and ${max}`;
}

function validateTensor(extra: number | Weights, like: Weights): string | null {
  if (typeof extra === 'number') return 'is no tensor';
  return compareArchitecture(extra, trainableOf(like)) ?? whyUnusable(extra);
}

/** What is known of an array without its numbers. */
export type ArrayOutline = Pick<WeightArray, 'name' | 'shape'>;

/** The first difference in names, shapes or dtypes between two models' weights; null when there is none. */
export function compareArchitecture(weights: Weights, like: Weights): string | null {
  const difference = compareArrays(weights, like);
  if (difference !== null) return difference;
  for (const { name, shape, values } of weights) {
    if (!(values instanceof Float32Array)) return `has ${name} of another type than float32`;
    if (values.length !== sizeOf(shape)) return `has ${values.length} values in ${name}`;
  }
  return null;
}

/** The first difference in names or shapes between two models' arrays; null when there is none. */
export function compareArrays(arrays: readonly ArrayOutline[], like: readonly ArrayOutline[]): string | null {
  for (const [index, { name, shape }] of like.entries()) {
    const array = arrays[index];
    if (array === undefined) return `lacks the array ${name}`;
    if (array.name !== name) return `has the array ${array.name} in place of ${name}`;
    if (array.shape.length !== shape.length || array.shape.some((extent, axis) => extent !== shape[axis])) {
      return `has ${name} of shape ${formatShape(array.shape)}, not ${formatShape(shape)}`;
    }
  }
  const extra = arrays[like.length];
  return extra === undefined ? null : `has an array more, ${extra.name}`;
}

/** The largest finite float32. */
const MAX_FLOAT32 = (2 - 2 ** -23) * 2 ** 127;

/**
 * Why nothing can be computed with these weights; null where it can. Beside numbers that are not finite these are weights
 * of a norm that float32, in which every engine computes, cannot square: no training leads there, and what is averaged
 * with them gives NaN in the next round.
 */
export function whyUnusable(weights: Weights): string | null {
  const check = createUsableCheck();
  for (const { name, values } of weights) {
    const reason = check.add(name, values);
    if (reason !== null) return reason;
  }
  return check.end();
}

/** The same of weights that come in parts. */
interface UsableCheck {
  /** Of numbers of the array `name`, from position `from` on. */
  add(name: string, values: Float32Array, from?: number): string | null;
  /** Of all that was added. */
  end(): string | null;
}

/** A look at weights that come in parts, in their order. */
export function createUsableCheck(): UsableCheck {
  // In an array: V8 made an object of the sum for each number that was added to a variable.
  const squares = new Float64Array(1);
  return {
    add(name, values, from = 0) {
      let sum = squares[0] as number;
      // What is not finite stays so in the sum, and the square of no float32 exceeds float64.
      for (let at = 0; at < values.length; at++) sum += (values[at] as number) * (values[at] as number);
      squares[0] = sum;
      if (Number.isFinite(sum)) return null;
      const at = values.findIndex((value) => !Number.isFinite(value));
      return `holds ${values[at]} in ${name} at position ${from + at}`;
    },
    end() {
      const sum = squares[0] as number;
      if (sum <= MAX_FLOAT32) return null;
      return `has weights of norm ${Math.sqrt(sum).toPrecision(3)}, whose square float32 cannot hold`;
    },
  };
}
