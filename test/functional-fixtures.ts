/** What Keras makes of functional models: `lib/model/keras/fixtures/make_functional_fixtures.py` makes the files. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Engine } from '../lib/engine/engine.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { describeKerasConfig } from '../lib/model/keras/keras-model.js';
import type { Model, ModelDescription } from '../lib/model/model-description.js';
import { inputBound } from '../lib/model/parameters.js';
import { fixedInputs } from './setting-fixtures.js';

const [STEPS, EXAMPLES, CLASSES] = [20, 6, 3];
/** Examples that are predicted. */
export const PREDICTED = 3;

/** A model as Keras saved it, and what Keras finds with it. */
interface FunctionalFixture {
  readonly name: string;
  /** Of each output: the classes of three examples, as the file has it and after the training. */
  readonly predictions: readonly (readonly number[])[];
  readonly trained: readonly (readonly number[])[];
  /** Of each step, before its update. */
  readonly losses: readonly number[];
}

// Fixtures are not compiled: they lie in the source tree, seen from dist/test/.
const path = (name: string) =>
  new URL(`../../lib/model/keras/fixtures/functional-${name}`, import.meta.url).pathname;

/** All models of a version of Keras. */
export function functionalFixtures(generation: string): readonly FunctionalFixture[] {
  const measured = JSON.parse(readFileSync(path(`keras${generation}.json`), 'utf8')) as Readonly<
    Record<string, Omit<FunctionalFixture, 'name'>>
  >;
  return Object.entries(measured).map(([name, each]) => ({ name, ...each }));
}

/** The file of one of them, and the model that it is. */
export async function functionalModel(
  name: string,
  generation: string,
): Promise<{ readonly file: KerasFile; readonly model: Model }> {
  const file = await readKerasFile(path(`${name}-keras${generation}.h5`));
  const description = describeKerasConfig(file.modelConfig, { kerasVersion: generation });
  return { file, model: { description, weights: file.weights } };
}

/** The examples that Keras was given: an array for each input. */
export function functionalInputs(
  description: ModelDescription,
  count: number,
  salt: number,
): readonly Float32Array[] {
  return description.inputs.map(({ name, shape: inputShape }, input) =>
    fixedInputs({ inputShape, below: inputBound(description, name) }, count, salt + input),
  );
}

/** Every output of the examples whose predictions the fixtures hold. */
export async function predictFunctional(engine: Engine, model: Model): Promise<readonly Float32Array[]> {
  const session = await engine.createPredictSession(model, { threads: 1 });
  const found = await session.predict(functionalInputs(model.description, PREDICTED, 50), PREDICTED);
  await session.dispose();
  return found;
}

/** Makes sure that outputs are those of Keras. */
export function assertKeras(found: readonly Float32Array[], wanted: readonly (readonly number[])[]): void {
  assert.equal(found.length, wanted.length);
  for (const [output, values] of wanted.entries()) {
    assert.equal(found[output]?.length, values.length);
    for (const [at, value] of values.entries())
      assert.ok(Math.abs((found[output]?.[at] as number) - value) < 1e-5, `output ${output}, ${at}`);
  }
}

/** Trains as Keras did. */
export async function trainFunctional(
  engine: Engine,
  model: Model,
): Promise<{ readonly model: Model; readonly losses: readonly number[] }> {
  const { description } = model;
  const session = await engine.createTrainingSession(model, {
    optimizer: { kind: 'sgd', learningRate: 0.1, momentum: 0 },
    seed: 0,
    threads: 1,
  });
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { loss } = await session.step({
      count: EXAMPLES,
      inputs: functionalInputs(description, EXAMPLES, 10 * step),
      targets: description.outputs.map((_, output) =>
        Int32Array.from({ length: EXAMPLES }, (_, at) => (at + step + output) % CLASSES),
      ),
    });
    losses.push(loss);
  }
  const weights = await session.weights();
  await session.dispose();
  return { model: { description, weights }, losses };
}
