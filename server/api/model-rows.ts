/** Between a request and a model: whether its tensors are examples as the model takes them, and which outputs it asks for. */
import { formatShape, sizeOf } from '../../lib/core/weights.js';
import { MAX_PIXEL, rescale, UNIT_SCALE } from '../../lib/federation/pixel-scale.js';
import { bad, HttpProblem } from '../../lib/http/problems.js';
import type { Answers } from '../codecs/answers.js';
import type { Codecs } from '../codecs/codecs.js';
import { type NamedTensors, type RequestTensor, tensorsFor } from '../codecs/tensor.js';
import { inNumbers } from '../codecs/written-numbers.js';
import type { ModelCard } from '../models/model-card.js';
import { inputsOf, outputsOf } from '../models/predictor.js';
import type { ServedInput } from '../models/served-facts.js';
import type { ServedModels } from '../models/served-models.js';
import { joinRows } from '../rows.js';

/** What every route of the API works with. */
export interface ApiParts {
  readonly models: ServedModels;
  readonly codecs: Codecs;
}

/** Model inputs: `values` has for each example the numbers of all inputs, one after the other. */
interface RowBatch {
  readonly values: Float32Array;
  readonly count: number;
}

/** How a request's tensors are read. */
interface RowOptions {
  /** Whether they are batches; else one example may come without an axis for it. */
  readonly isBatch?: boolean;
}

/**
 * The tensors of a request as examples. A model of one input takes it under any name.
 *
 * @throws {HttpProblem} 400 for other inputs than the model has, and for any other shape or number that it does not take
 */
export function modelRows(tensors: NamedTensors, card: ModelCard, options: RowOptions = {}): RowBatch {
  const inputs = inputsOf(card);
  const names = inputs.map(({ name }) => name);
  const given = tensorsFor(tensors, names);
  if (given === undefined) {
    const found = Object.keys(tensors).filter((name) => name !== '');
    throw bad(
      `${inputs.length === 1 ? 'the one input' : 'the inputs'} ${names.join(', ')}`,
      found.length === 0 ? 'one without a name' : found.join(', '),
    );
  }
  const batches = given.map((tensor, at) => batchOf(tensor, inputs[at] as ServedInput, options));
  const [first] = batches as [RowBatch, ...RowBatch[]];
  const odd = batches.findIndex(({ count }) => count !== first.count);
  if (odd > 0)
    throw bad(
      `as many examples in ${names[odd]} as in ${names[0]}, ${first.count}`,
      `${batches[odd]?.count}`,
    );
  const all = batches.map(({ values }) => values);
  return { values: joinRows(all, first.count), count: first.count };
}

function batchOf(given: RequestTensor, input: ServedInput, options: RowOptions): RowBatch {
  const tensor = inNumbers(given, input);
  if (input.isPicture) return imagesOf(tensor, input, options);
  const { shape, below, name } = input;
  const batch = numbersOf(tensor, shape, options);
  const odd =
    below === undefined
      ? undefined
      : batch.values.find((value) => !(Number.isInteger(value) && value >= 0 && value < below));
  if (odd === undefined) return batch;
  throw bad(
    `whole numbers from 0 to ${(below as number) - 1} for ${name}, the rows of the model's embedding`,
    `${odd}`,
  );
}

/** How an example of a shape may come: as it is, as a row, or without axes of 1 at its end; some of these may be the same. */
export function exampleShapes(shape: readonly number[]): readonly (readonly number[])[] {
  const short = shape.slice(0, 1 + shape.findLastIndex((extent) => extent !== 1));
  return [shape, [sizeOf(shape)], short];
}

function numbersOf(tensor: RequestTensor, wanted: readonly number[], { isBatch }: RowOptions): RowBatch {
  const shapes = exampleShapes(wanted);
  return countedBatch(tensor, { wanted, alone: isBatch ? [] : shapes, inBatch: shapes });
}

/**
 * A tensor as images: `[n, h, w, c]`, `[n, h, w]` of one channel, `[n, h·w·c]`, or one image where it need not be a batch.
 * Whole numbers are grey levels: black is 0 and white 255, whatever they are to the model.
 */
function imagesOf(
  tensor: RequestTensor,
  { shape: wanted, scale }: ServedInput,
  { isBatch }: RowOptions,
): RowBatch {
  const { shape, values, isLevels = false } = tensor;
  const [height = 0, width = 0, channels = 1] = wanted;
  if (isLevels)
    for (let at = 0; at < values.length; at++) values[at] = (values[at] as number) * (1 / MAX_PIXEL);
  if (isLevels && scale !== undefined) rescale(values, { channels, from: UNIT_SCALE, to: scale });
  const images = channels === 1 ? [[height, width], wanted] : [wanted];
  const isPlanes = channels > 1 && isSame(shape.slice(1), [channels, height, width]);
  return countedBatch(tensor, {
    wanted,
    alone: isBatch ? [] : images,
    inBatch: [...images, [sizeOf(wanted)]],
    hint: isPlanes ? ': channels come last' : '',
  });
}

/** The shapes that an example may have. */
interface ExampleShapes {
  /** As messages tell it. */
  readonly wanted: readonly number[];
  /** Without an axis for the examples, and behind one. */
  readonly alone: readonly (readonly number[])[];
  readonly inBatch: readonly (readonly number[])[];
  /** What a message adds to the shape that was found. */
  readonly hint?: string;
}

/** @throws {HttpProblem} 400 for any other shape, however many numbers it has */
function countedBatch(
  { shape, values }: RequestTensor,
  { wanted, alone, inBatch, hint = '' }: ExampleShapes,
): RowBatch {
  if (alone.some((each) => isSame(shape, each))) return { values, count: 1 };
  const [count = 0, ...rest] = shape;
  if (count > 0 && inBatch.some((each) => isSame(rest, each))) return { values, count };
  throw bad(`a tensor of shape ${formatShape([-1, ...wanted])}`, `shape ${formatShape(shape)}${hint}`);
}

/** Where the outputs stand in a row of answers: those that are asked for by name, or all. @throws {HttpProblem} 400 */
export function outputsIn(card: ModelCard, names: readonly string[] = []): Answers['outputs'] {
  let from = 0;
  const all = outputsOf(card).map(({ name, shape }) => {
    const own = { name, shape, from };
    from += sizeOf(shape);
    return own;
  });
  const unknown = names.find((name) => all.every((each) => each.name !== name));
  if (unknown !== undefined) {
    const known = all.map(({ name }) => name).join(', ');
    throw bad(all.length === 1 ? `the one output ${known}` : `one of the outputs ${known}`, unknown);
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
}

/** @throws {HttpProblem} 400 where the model tells no classes apart */
export function requireClasses({ task }: Pick<ModelCard, 'task'>): void {
  if (task === undefined) return;
  throw new HttpProblem(
    400,
    `The model is one of ${task} and tells no classes apart: ask it with /predict, :predict or /infer.`,
  );
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((extent, index) => extent === b[index]);
}

const JSON_BYTES_PER_NUMBER = 12;

/** About how long some answers are in JSON. */
export function jsonBytes({ length }: Float32Array): number {
  return length * JSON_BYTES_PER_NUMBER;
}
