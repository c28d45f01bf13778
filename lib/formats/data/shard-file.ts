/** Writing shards, and test sets like them: in memory where they are small, else in pieces. */
import { sizeOf } from '../../core/weights.js';
import { type ExampleRows, onePiece, rowsOfExamples, wholeOf } from '../../federation/example-rows.js';
import {
  dtypeOf,
  type Examples,
  type ExampleTargets,
  type ExampleValues,
  exampleCount,
  VALUE_ARRAYS,
} from '../../federation/examples.js';
import { writeFileAtomic } from '../files/atomic-file.js';
import { sha256, sha256OfFile } from '../files/read-file.js';
import type { WrittenFile } from './dataset.js';
import { encodeNpz } from './npz.js';
import { type ArrayInPieces, writeNpzInPieces } from './streamed/npz-writer.js';

/**
 * Writes a shard atomically: `x`, or `x/<name>` for each of several inputs, in the dtype and shape of the examples; `y`, or
 * `y/<name>` for each of several outputs, as int32 where it is labels, as float32 or uint8 else.
 *
 * @throws {StorageError} when the disk refuses.
 */
export async function writeShard(path: string, examples: Examples): Promise<WrittenFile> {
  return await writeShardRows(path, rowsOfExamples(examples));
}

/** No more is put together to be written at once. */
const WHOLE_BYTES = 2 ** 22;

/** The same for examples that may be more than memory holds: the same bytes. @throws {StorageError} when the disk refuses */
export async function writeShardRows(
  path: string,
  { inputs, targets, weights }: ExampleRows,
  mostBytes = WHOLE_BYTES,
): Promise<WrittenFile> {
  const arrays: readonly ShardArray[] = [
    ...inputs.map(({ name, ...rows }) => ({ ...rows, name: inputs.length > 1 ? `x/${name}` : 'x' })),
    ...targets.map(({ name, ...array }) =>
      inOnePiece(targets.length > 1 ? `y/${name}` : 'y', withoutDoubt(array)),
    ),
    ...(weights === undefined
      ? []
      : [inOnePiece('w', { shape: [exampleCount({ targets })], values: weights })]),
  ];
  const sizeBytes = arrays.reduce(
    (sum, { shape, dtype }) => sum + sizeOf(shape) * VALUE_ARRAYS[dtype].BYTES_PER_ELEMENT,
    0,
  );
  if (sizeBytes > mostBytes) {
    const writtenBytes = await writeNpzInPieces(path, arrays);
    return { sizeBytes: writtenBytes, sha256: await sha256OfFile(path, 'what was just written') };
  }
  const whole: Parameters<typeof encodeNpz>[0][number][] = [];
  for (const array of arrays)
    whole.push({ name: array.name, shape: array.shape, values: await wholeOf(array) });
  const bytes = await encodeNpz(whole);
  await writeFileAtomic(path, bytes);
  return { sizeBytes: bytes.length, sha256: sha256(bytes) };
}

interface ShardArray extends ArrayInPieces {
  readonly values?: ExampleValues | undefined;
  pieces(): AsyncIterable<ExampleValues>;
}

function inOnePiece(name: string, { shape, values }: ShardValues): ShardArray {
  return { name, shape, values, dtype: dtypeOf(values), pieces: () => onePiece(values) };
}

interface ShardValues {
  readonly shape: readonly number[];
  readonly values: ExampleValues;
}

/** Rows of one number as `[n]`; labels of steps as `[n, …, 1]`, since their rows might be one-hot by chance. */
function withoutDoubt({ shape, values }: ExampleTargets): ShardValues {
  const [count = 0, ...one] = shape;
  if (sizeOf(one) === 1) return { shape: [count], values };
  return { shape: values instanceof Int32Array ? [...shape, 1] : shape, values };
}
