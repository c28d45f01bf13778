/** From an array to labels: whole numbers of any type and one-hot rows are taken, the rest is refused with a cure. */
import { formatShape, sizeOf } from '../../core/weights.js';
import { MAX_CLASSES } from '../../federation/examples.js';
import type { ArrayPlace } from './image-array.js';
import { changeLine, npzLine, numberClassesLine, tenClassesLine } from './mending-lines.js';
import type { NpyArray } from './npy.js';

/**
 * The labels of an array, as int32: `[n]`, `[n, 1]`, or one-hot rows `[n, classes]`.
 *
 * @throws {DataError} for another shape, numbers that are not whole, and labels out of range
 */
export function labelsOf(array: NpyArray, place: ArrayPlace): Int32Array {
  const { dtype, shape, values } = array;
  const [, classes = 1] = shape;
  if (shape.length > 2 || shape.length === 0 || (shape[0] ?? 0) * classes !== sizeOf(shape))
    throw wrongShape(array, place);
  if (classes > 1) return labelsOfRows(array, classes, place);
  const labels = Int32Array.from({ length: values.length }, (_, index) => labelAt(index, values, place));
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
      `${name} to hold whole-number labels (classes: fedbatch predicts no quantities)`,
      `${value} in example ${index}`,
      isMeasured(values) ? tenClassesLine(file) : numberClassesLine(file),
    );
  }
  if (value >= 0 && value < MAX_CLASSES) return value;
  throw fault(
    `labels from 0 to ${MAX_CLASSES - 1} in ${name}`,
    `${value} in example ${index}`,
    numberClassesLine(file),
  );
}

/** Whether numbers are quantities, of which hardly two are alike, and no names of classes. */
const isMeasured = (values: NpyArray['values']): boolean =>
  new Set<unknown>(values).size > Math.max(10, values.length / 10);

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
