/** From an array to targets: labels, numbers, or rows that say what holds; the rest is refused with a cure. */
import { formatShape, sizeOf } from '../../core/weights.js';
import {
  type ExampleTargets,
  MAX_CLASSES,
  type TargetKind,
  type TargetKinds,
} from '../../federation/examples.js';
import type { ArrayPlace } from './input-array.js';
import { changeLine, npzLine, numberClassesLine } from './mending-lines.js';
import type { NpyArray } from './npy.js';

/** What targets are to be, where that is known. */
export type WantedTargets = TargetKinds | undefined;

/**
 * The targets of an array. Where nothing says what they are, whole numbers of any type, `[n]` or `[n, 1]`, and one-hot
 * rows are labels, other rows of 0 and 1 say which hold, and other floats are numbers. Other whole numbers `[n, t]` are
 * a label for each of t steps, `[n, t, 1]` too, and one-hot rows `[n, t, k]`.
 *
 * @throws {DataError} for no axis, numbers that are not finite, and what is not of the wanted kind
 */
export function targetsOf(
  array: NpyArray,
  place: ArrayPlace,
  wanted: TargetKind | undefined,
): ExampleTargets {
  const { shape, values } = array;
  const [count = 0, ...one] = shape;
  const size = one.at(-1) ?? 1;
  // All targets in one row are those of several examples, and not the steps of one.
  if (shape.length === 0 || one.includes(0) || (shape.length === 2 && count === 1 && size > 1))
    throw wrongShape(array, place);
  const kind = wanted ?? kindOf(array, size);
  if (kind === 'labels') {
    const steps =
      one.length === 1 && !isOneHot(array, size) ? one.filter((each) => each > 1) : one.slice(0, -1);
    const width = one.length > steps.length ? size : 1;
    return { shape: [count, ...steps], values: labelsOf(array, width, place) };
  }
  const rows = one.length > 1 ? shape : [count, size];
  const unfit = findUnfit(values, kind);
  if (unfit >= 0) {
    const expected =
      kind === 'numbers' ? 'a finite number for each example' : 'rows of 0 and 1, which say what holds';
    const found = `${values[unfit]} in example ${Math.floor((unfit * count) / values.length)}`;
    const isLarge = kind === 'numbers' && Number.isFinite(Number(values[unfit]));
    throw place.fault(
      `${place.name} to hold ${isLarge ? 'numbers that a 32-bit float holds' : expected}`,
      found,
      isLarge ? undefined : npzLine(place.file, ...dropUnlabelled(place.name)),
    );
  }
  if (kind === 'multi-hot') return { shape: rows, values: Uint8Array.from(values as Uint8Array, Number) };
  if (wanted === undefined)
    place.tell(`${place.name} is ${array.dtype} ${formatShape(shape)}, taken as numbers`);
  // Of millions of examples each copy counts.
  if (values instanceof Float32Array) return { shape: rows, values };
  return { shape: rows, values: Float32Array.from(values as Float64Array, Number) };
}

/** Where the first value is that is no finite number, or neither 0 nor 1; -1 where there is none. */
function findUnfit(values: NpyArray['values'], kind: 'numbers' | 'multi-hot'): number {
  for (let at = 0; at < values.length; at++) {
    const value = Number(values[at]);
    if (kind === 'numbers' ? !Number.isFinite(Math.fround(value)) : value !== 0 && value !== 1) return at;
  }
  return -1;
}

/** What targets are, by their dtype and their numbers. */
function kindOf({ dtype, values }: NpyArray, size: number): TargetKind {
  const isFloat = dtype.startsWith('float');
  if (size === 1) {
    const isMeasured = isFloat && values.some((value) => Number.isFinite(value) && !Number.isInteger(value));
    return isMeasured ? 'numbers' : 'labels';
  }
  const isBinary = values.every((value) => Number(value) === 0 || Number(value) === 1);
  if (!isBinary) return isFloat ? 'numbers' : 'labels';
  return isOneHot({ values }, size) ? 'labels' : 'multi-hot';
}

/** Whether each row is a single 1 among zeros. */
function isOneHot({ values }: Pick<NpyArray, 'values'>, size: number): boolean {
  if (size < 2) return false;
  for (let from = 0; from < values.length; from += size) {
    let ones = 0;
    for (let at = from; at < from + size; at++) {
      const value = Number(values[at]);
      ones += value === 0 || value === 1 ? value : Number.NaN;
    }
    if (ones !== 1) return false;
  }
  return true;
}

/** Labels, `[n]`, `[n, 1]`, or one-hot rows `[n, classes]`, as int32. */
function labelsOf(array: NpyArray, classes: number, place: ArrayPlace): Int32Array {
  const { dtype, values } = array;
  if (classes > 1) return labelsOfRows(array, classes, place);
  const labels = values instanceof Int32Array ? values : new Int32Array(values.length);
  for (let index = 0; index < labels.length; index++) labels[index] = labelAt(index, values, place);
  if (!/^u?int/.test(dtype)) place.tell(`${place.name} is ${dtype}, taken as whole-number labels`);
  return labels;
}

function labelAt(index: number, values: NpyArray['values'], { file, name, fault }: ArrayPlace): number {
  const value = Number(values[index]);
  if (!Number.isFinite(value)) {
    const mend = npzLine(file, ...dropUnlabelled(name));
    throw fault(`${name} to hold a label for each example`, `${value} in example ${index}`, mend);
  }
  if (!Number.isInteger(value)) {
    throw fault(
      `${name} to hold whole-number labels`,
      `${value} in example ${index}`,
      numberClassesLine(file),
    );
  }
  if (value >= 0 && value < MAX_CLASSES) return value;
  throw fault(
    `labels from 0 to ${MAX_CLASSES - 1} in ${name}`,
    `${value} in example ${index}`,
    numberClassesLine(file),
  );
}

/** Leaves out the examples whose label is not finite. */
function dropUnlabelled(labels: string): readonly string[] {
  const images = labels.replace('y', 'x');
  return [
    `k = np.isfinite(d["${labels}"].astype("float64")).reshape(-1)`,
    `d.update({n: d[n][k] for n in ("${images}", "${labels}")})`,
  ];
}

/** One-hot rows: a single 1 among zeros. */
function labelsOfRows(array: NpyArray, classes: number, place: ArrayPlace): Int32Array {
  const { values } = array;
  const labels = new Int32Array(values.length / classes);
  for (let index = 0; index < labels.length; index++) {
    let ones = 0;
    for (let each = 0; each < classes; each++) {
      const value = Number(values[index * classes + each]);
      if (value === 1) {
        ones++;
        labels[index] = each;
      } else if (value !== 0) ones = Number.NaN;
    }
    if (ones !== 1) throw wrongShape(array, place);
  }
  place.tell(
    `${place.name} is one-hot ${formatShape(array.shape)}, taken as labels from 0 to ${classes - 1}`,
  );
  return labels;
}

function wrongShape({ shape }: NpyArray, { file, name, fault }: ArrayPlace) {
  const isRow = shape.length > 0 && sizeOf(shape) === Math.max(...shape);
  const change = isRow ? 'v.reshape(-1)' : shape.length === 2 ? 'v.argmax(axis=1)' : undefined;
  const rows = shape.length === 2 && !isRow ? ', whose rows are not one-hot' : '';
  return fault(
    `${name} to be labels [n]`,
    `the shape ${formatShape(shape)}${rows}`,
    change && changeLine(file, 'y', change),
  );
}
