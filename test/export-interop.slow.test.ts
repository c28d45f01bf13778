/** onnxruntime, safetensors, Keras 3 and TensorFlow of Python open what is exported for them: the slow tier, see scripts/interop-export.sh. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { execa } from 'execa';
import type { FormatName } from '../export/format.js';
import { LAYER_CASES, unevenWeights } from '../lib/engine/conformance/problems.js';
import { plainOnnxEngine } from '../lib/engine/onnx/onnx-engine.js';
import type { ExportedFacts } from '../lib/formats/export-result.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { modelFromKeras } from '../lib/model/keras/keras-model.js';
import type { Model, ModelDescription } from '../lib/model/model-description.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { exportFile, fileOf } from './exports.js';
import { functionalFixtures, functionalInputs, functionalModel } from './functional-fixtures.js';
import { fixturePath, KERAS_FIXTURES } from './keras-fixtures.js';
import { projectRoot } from './sources.js';
import { sharedDirectory } from './temporary-directory.js';

const python = process.env.FEDBATCH_EXPORT_PYTHON ?? '';
const skip =
  python === '' &&
  'FEDBATCH_EXPORT_PYTHON names no Python with onnx, onnxruntime, safetensors and tensorflow';

const TOLERANCE = 1e-5;
const EXAMPLES = 3;

interface Answer {
  readonly outputs?: Readonly<Record<string, readonly number[]>>;
  readonly arrays?: Readonly<
    Record<string, { readonly shape: readonly number[]; readonly values: readonly number[] }>
  >;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** A model as a file, and what it answers here. */
interface Case {
  readonly name: string;
  readonly file: KerasFile;
  readonly model: Model;
  readonly inputs: readonly Float32Array[];
  readonly wanted: readonly Float32Array[];
}

async function caseOf(name: string, file: KerasFile): Promise<Case> {
  const model = modelFromKeras(file, name);
  const inputs = functionalInputs(model.description, EXAMPLES, 7);
  const session = await plainOnnxEngine.createPredictSession(model, { threads: 1 });
  const wanted = await session.predict(inputs, EXAMPLES);
  await session.dispose();
  return { name, file, model, inputs, wanted };
}

const described = (name: string, description: ModelDescription) =>
  caseOf(name, fileOf({ description, weights: unevenWeights(description) }));

/** The models that come with fedbatch: pictures, residual blocks, words as whole numbers, a table of categories and numbers. */
const zoo = () =>
  Promise.all([
    described('cnn', describeModel('cnn', { inputShape: [12, 12, 1], outputs: 4 })),
    described('resnet', describeModel('resnet', { inputShape: [8, 8, 3], outputs: 4 })),
    described('lstm', describeModel('lstm', { inputShape: [6], outputs: 5, tokens: 9 }, [4])),
    described(
      'table',
      describeModel('mlp', {
        inputShape: [5],
        outputs: 1,
        activation: 'linear',
        inputs: [
          { name: 'store', shape: [1], below: 7 },
          { name: 'figures', shape: [4] },
        ],
      }),
    ),
  ]);

const functional = () =>
  Promise.all(
    functionalFixtures('3').map(async ({ name }) => caseOf(name, (await functionalModel(name, '3')).file)),
  );

describe('what is exported is opened', { skip }, () => {
  let directory: string;
  before(async () => {
    directory = sharedDirectory();
  });

  /** Exports cases, asks the peer, and compares its answers. */
  async function compare(to: FormatName, cases: readonly Case[]): Promise<void> {
    const exported: { readonly output: string; readonly facts: ExportedFacts }[] = [];
    for (const { name, file } of cases)
      exported.push(await exportFile(file, to, { directory, name: name.replaceAll(' ', '-'), python }));
    const requests = cases.map(({ inputs }, at) => ({
      to,
      path: exported[at]?.output,
      inputs: exported[at]?.facts.inputs.map(({ name, shape, type }, input) => ({
        ...{ name, shape: [EXAMPLES, ...shape], type, values: [...(inputs[input] ?? [])] },
      })),
    }));
    const { stdout } = await execa(python, [join(projectRoot, 'test', 'export_interop.py')], {
      input: JSON.stringify(requests),
    });
    const answers = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as readonly Answer[];
    assert.equal(answers.length, cases.length);
    for (const [at, { name, wanted, model }] of cases.entries()) {
      const { outputs, arrays, facts } = answers[at] as Answer;
      const told = exported[at]?.facts;
      if (to !== 'keras') assert.equal(facts.sha256, told?.sha256, name);
      if (arrays !== undefined) {
        assert.deepEqual(
          Object.entries(arrays).sort(),
          model.weights
            .map((each) => [each.name, { shape: [...each.shape], values: [...each.values] }] as const)
            .sort(),
          name,
        );
        continue;
      }
      const named = told?.outputs.map((output) => outputs?.[output.name]);
      const found = to === 'keras' ? Object.values(outputs ?? {}) : named;
      assert.equal(found?.length, wanted.length, name);
      for (const [output, values] of wanted.entries()) {
        assert.equal(found?.[output]?.length, values.length, name);
        for (const [index, value] of values.entries())
          assert.ok(
            Math.abs((found?.[output]?.[index] as number) - value) < TOLERANCE,
            `${name}, output ${output}: ${found?.[output]} is not ${values}`,
          );
      }
    }
  }

  it('by onnxruntime, whatever the layers, and its checker finds nothing', async () => {
    const layers = await Promise.all(
      Object.entries(LAYER_CASES).map(([name, description]) => described(name, description)),
    );
    await compare('onnx', [...(await zoo()), ...layers, ...(await functional())]);
  });

  it('by safetensors, with equal arrays', async () => {
    await compare('safetensors', [...(await zoo()), ...(await functional())]);
  });

  it('by Keras 3, files of older Keras too', async () => {
    const old = await Promise.all(
      KERAS_FIXTURES.filter((name) => /^(keras1|keras20|keras22|tf113)/.test(name)).map(async (name) =>
        caseOf(name, await readKerasFile(fixturePath(`${name}.h5`))),
      ),
    );
    const models = [...(await zoo()), ...(await functional()), ...old];
    await compare('keras', models);
  });

  it('by TensorFlow, through the signature that TensorFlow Serving serves', async () => {
    // TensorFlow is loaded for each.
    const some = (await functional()).filter(({ name }) => name === 'outputs' || name === 'masked');
    assert.equal(some.length, 2);
    await compare('savedmodel', [...(await zoo()).filter(({ name }) => name !== 'resnet'), ...some]);
  });
});
