/**
 * How a compiled step holds a model's parameters: each large array as a tensor of its own, in which the next weights can
 * be written where their gradient is computed; all others together in one vector, so that many small arrays cost as few
 * operators as one. What no gradient moves, such as moving statistics, lies apart from what is trained.
 */
import { sizeOf, type WeightArray, type Weights } from '../../../core/weights.js';
import type { Parameter } from '../../../model/parameters.js';
import type { Tensor, TensorConstructor } from '../runtime.js';
import { parameterKey } from './network.js';

/** Elements from which copying an array into a common vector costs more than operators of its own. */
const LARGE = 16_384;

/** The names of the groups of small parameters, trained and not; those of large ones have a `/`. */
const [SMALL, FIXED] = ['small', 'fixed'] as const;

/** A parameter in its group. */
interface GroupMember {
  readonly parameter: Parameter;
  /** Its place among the model's parameters. */
  readonly index: number;
  /** Its first element in the group's tensors. */
  readonly offset: number;
  readonly length: number;
}

/** Parameters that share their tensors. */
export interface ParameterGroup {
  /** Unique in its model; tensors are named after it, see {@link tensorName}. */
  readonly name: string;
  /** Of its tensors: that of a large parameter, or flat. */
  readonly shape: readonly number[];
  /** Whether steps change it: only then has it slots and next weights. */
  readonly isTrained: boolean;
  readonly members: readonly GroupMember[];
}

/** What a tensor holds: the weights, a slot of the optimizer, or what they become. */
export const tensorName = (what: string, { name }: Pick<ParameterGroup, 'name'>): string => `${what}/${name}`;

/** Whether a group is one large parameter, its tensors shaped as that. */
export const isAlone = ({ name }: Pick<ParameterGroup, 'name'>): boolean => name !== SMALL && name !== FIXED;

/** The groups of a model's parameters. */
export function groupParameters(parameters: readonly Parameter[]): readonly ParameterGroup[] {
  const placed = parameters.map((parameter, index) => ({
    parameter,
    index,
    length: sizeOf(parameter.shape),
  }));
  const large = placed.filter(({ length }) => length >= LARGE);
  const small = (name: string, isTrained: boolean): readonly ParameterGroup[] => {
    let size = 0;
    const members = placed
      .filter(({ parameter, length }) => length < LARGE && parameter.trainable === isTrained)
      .map((each) => {
        const offset = size;
        size += each.length;
        return { ...each, offset };
      });
    return members.length === 0 ? [] : [{ name, shape: [size], isTrained, members }];
  };
  return [
    ...large.map((each) => ({
      name: parameterKey(each.parameter),
      shape: each.parameter.shape,
      isTrained: each.parameter.trainable,
      members: [{ ...each, offset: 0 }],
    })),
    ...small(SMALL, true),
    ...small(FIXED, false),
  ];
}

/** Tensors for the groups, in their order; those of large parameters are the arrays of `adopted`, where it is given. */
export function groupTensors(
  Tensor: TensorConstructor,
  groups: readonly ParameterGroup[],
  adopted?: Weights,
): readonly Tensor[] {
  return groups.map((group) => {
    const { shape, members } = group;
    const own = isAlone(group) ? adopted?.[members[0]?.index ?? 0]?.values : undefined;
    return new Tensor('float32', own ?? new Float32Array(sizeOf(shape)), shape);
  });
}

/** The groups' tensors under the names of what they hold. */
export function namedTensors(
  what: string,
  groups: readonly ParameterGroup[],
  tensors: readonly Tensor[],
): Readonly<Record<string, Tensor>> {
  return Object.fromEntries(
    tensors.map((tensor, at) => [tensorName(what, groups[at] as ParameterGroup), tensor]),
  );
}

/** A model's weights as a step takes them that does not write them: large ones where they lie. */
export function weightFeeds(
  Tensor: TensorConstructor,
  groups: readonly ParameterGroup[],
  weights: Weights,
): Readonly<Record<string, Tensor>> {
  // The runtime takes no memory that threads share.
  const isOwn = weights.every(({ values }) => values.buffer instanceof ArrayBuffer);
  const tensors = groupTensors(Tensor, groups, isOwn ? weights : undefined);
  packWeights(groups, weights, tensors);
  return namedTensors('weights', groups, tensors);
}

/** Copies a model's weights into the tensors of its groups. */
export function packWeights(
  groups: readonly ParameterGroup[],
  weights: Weights,
  into: readonly Tensor[],
): void {
  for (const [at, tensor] of into.entries()) {
    const { members } = groups[at] as ParameterGroup;
    for (const { index, offset } of members) {
      const { values } = weights[index] as WeightArray;
      if (values !== tensor.data) (tensor.data as Float32Array).set(values, offset);
    }
  }
}

/** A copy of the weights out of the tensors of their groups, in the arrays of `into`, where given, else in new ones; names and shapes as `like`. */
export function unpackWeights(
  groups: readonly ParameterGroup[],
  from: readonly Tensor[],
  { like, into = emptyLike(like) }: { readonly like: Weights; readonly into?: Weights | undefined },
): Weights {
  for (const [at, tensor] of from.entries()) {
    const values = tensor.data as Float32Array;
    for (const { index, offset, length } of groups[at]?.members ?? [])
      if (into[index]?.values !== values) into[index]?.values.set(values.subarray(offset, offset + length));
  }
  return into;
}

/** By the number of a parameter, its elements in the tensors of the groups. */
export function partsOf(
  groups: readonly ParameterGroup[],
  tensors: readonly Tensor[],
): ReadonlyMap<number, Float32Array> {
  return new Map(
    groups.flatMap(({ members }, at) => {
      const values = tensors[at]?.data as Float32Array;
      return members.map(({ index, offset, length }) => [index, values.subarray(offset, offset + length)]);
    }),
  );
}

const emptyLike = (weights: Weights): Weights =>
  weights.map(({ name, shape, values }) => ({ name, shape, values: new Float32Array(values.length) }));
