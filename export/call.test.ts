/** What is exported, read back: ONNX by ONNX Runtime and as protobuf, safetensors as its format says, archives as Keras' own. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import JSZip from 'jszip';
import { predict } from '../lib/engine/conformance/engine-runs.js';
import { LAYER_CASES, unevenWeights } from '../lib/engine/conformance/problems.js';
import { plainOnnxEngine } from '../lib/engine/onnx/onnx-engine.js';
import { createInferenceSession, loadOnnxRuntime } from '../lib/engine/onnx/runtime.js';
import { exportedFactsSchema } from '../lib/formats/export-result.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { modelFromKeras } from '../lib/model/keras/keras-model.js';
import type { Model, ModelDescription } from '../lib/model/model-description.js';
import { outputNames } from '../lib/model/model-description.js';
import { describeModel } from '../lib/model/model-zoo.js';
import { initialWeights, inputShape } from '../lib/model/parameters.js';
import { exportFile, fileOf } from '../test/exports.js';
import {
  assertKeras,
  functionalFixtures,
  functionalInputs,
  functionalModel,
  PREDICTED,
} from '../test/functional-fixtures.js';
import { fixedImages, fixturePath } from '../test/keras-fixtures.js';
import { sharedDirectory } from '../test/temporary-directory.js';

let directory: string;
before(async () => {
  directory = sharedDirectory();
});

const modelOf = (description: ModelDescription): Model => ({
  description,
  weights: unevenWeights(description),
});

/** What the file's graph answers, by its own names. */
async function runFile(path: string, inputs: readonly (Float32Array | Int32Array)[], count: number) {
  const runtime = await loadOnnxRuntime('cpu', 1);
  const session = await createInferenceSession(await readFile(path), { runtime, threads: 1 });
  const feeds = session.inputNames.map((name, at) => {
    const values = inputs[at] as Float32Array;
    const metadata = session.inputMetadata[at];
    const shape = metadata?.isTensor === true ? metadata.shape.slice(1).map(Number) : [];
    const type = metadata?.isTensor === true ? metadata.type : 'float32';
    const own = type === 'int32' ? Int32Array.from(values) : values;
    return [name, new runtime.Tensor(type, own, [count, ...shape])] as const;
  });
  const answers = await session.run(Object.fromEntries(feeds));
  await session.release();
  return session.outputNames.map((name) => answers[name]?.data as Float32Array);
}

describe('an ONNX file', () => {
  it('predicts what the engine does, for models of every layer', async () => {
    for (const [name, description] of Object.entries(LAYER_CASES)) {
      const model = modelOf(description);
      const inputs = [fixedImages(2, inputShape(description))];
      const { output } = await exportFile(fileOf(model), 'onnx', { directory });
      const [found = []] = await runFile(output, inputs, 2);
      const graph = fieldsIn(fieldsOf(await readFile(output)).of(7)[0]);
      for (const each of graph.of(5).map((constant) => fieldsIn(constant).text(8)))
        assert.ok(isRead(graph, each), `${name}: nothing reads ${each}`);
      assert.deepEqual([...found], [...(await predict(plainOnnxEngine, model, { inputs, count: 2 }))], name);
    }
    assert.ok(Object.keys(LAYER_CASES).length > 40);
  });

  it('predicts what Keras does with functional models: several inputs and outputs, shared layers, words', async () => {
    let several = 0;
    for (const { name, predictions } of functionalFixtures('3')) {
      const { file, model } = await functionalModel(name, '3');
      const { output, facts } = await exportFile(file, 'onnx', { directory });
      const found = await runFile(output, functionalInputs(model.description, PREDICTED, 50), PREDICTED);
      assertKeras(found, predictions);
      assert.deepEqual(
        facts.inputs.map((each) => each.name),
        model.description.inputs.map((each) => each.name),
      );
      if (predictions.length > 1 || facts.inputs.length > 1) several++;
    }
    assert.ok(several >= 2);
  });

  it('has the names of Keras, a batch axis without a number, whole numbers as int32, and says what it is', async () => {
    const description = describeModel('lstm', { inputShape: [5], outputs: 3, tokens: 9 }, [4]);
    const model = { description, weights: initialWeights(description, 3) };
    const { output, facts } = await exportFile(fileOf(model), 'onnx', { directory, name: 'words' });
    const file = fieldsOf(await readFile(output));
    const graph = fieldsIn(file.of(7)[0]);
    const names = (field: number, of = graph) => of.of(field).map((each) => fieldsIn(each).text(1));
    assert.equal(file.text(2), 'fedbatch');
    assert.deepEqual(
      file.of(8).map((each) => [fieldsIn(each).text(1), fieldsIn(each).number(2)]),
      [['', 20]],
    );
    assert.deepEqual(names(12), outputNames(description));
    assert.deepEqual(names(11), ['embedding_input']);
    const [input = new Uint8Array()] = graph.of(11);
    const tensor = fieldsIn(fieldsIn(fieldsIn(input).of(2)[0]).of(1)[0]);
    assert.equal(tensor.number(1), 6, 'int32');
    const [batch, steps] = fieldsIn(tensor.of(2)[0]).of(1).map(fieldsIn);
    assert.deepEqual([batch?.text(2), steps?.number(1)], ['batch', 5]);
    const weights = graph.of(5).map((each) => fieldsIn(each).text(8));
    for (const { name } of model.weights) assert.ok(weights.includes(name), name);
    const metadata = new Map(
      file.of(14).map((each) => [fieldsIn(each).text(1), fieldsIn(each).text(2)] as const),
    );
    assert.equal(metadata.get('sha256'), facts.sha256);
    assert.equal(metadata.get('model'), 'words.h5');
    assert.deepEqual(JSON.parse(metadata.get('inputs') ?? ''), [
      { name: 'embedding_input', shape: [5], type: 'int32', below: 9 },
    ]);
    assert.deepEqual(exportedFactsSchema.parse(facts), facts);
  });
});

/** The fields of a message of protobuf. */
interface Fields {
  of(field: number): readonly Uint8Array[];
  text(field: number): string;
  number(field: number): number | undefined;
}

function fieldsOf(bytes: Uint8Array): Fields {
  const found: (readonly [field: number, value: Uint8Array | number])[] = [];
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, type] = reader.tag();
    if (type === WireType.LengthDelimited) found.push([field, reader.bytes()]);
    else if (type === WireType.Varint) found.push([field, Number(reader.uint64())]);
    else reader.skip(type, field);
  }
  const of = (wanted: number) => found.flatMap(([field, value]) => (field === wanted ? [value] : []));
  return {
    of: (wanted) => of(wanted).filter((each) => typeof each !== 'number'),
    text: (wanted) => new TextDecoder().decode(of(wanted)[0] as Uint8Array | undefined),
    number: (wanted) => of(wanted).find((each) => typeof each === 'number'),
  };
}

/** Whether a node of a graph, or of one inside of it, has an input of this name. */
function isRead(graph: Fields, name: string): boolean {
  return graph
    .of(1)
    .map(fieldsIn)
    .some((node) => {
      const inputs = node.of(1).map((each) => new TextDecoder().decode(each));
      const inner = node.of(5).flatMap((attribute) => fieldsIn(attribute).of(6));
      return inputs.includes(name) || inner.some((each) => isRead(fieldsIn(each), name));
    });
}

const fieldsIn = (bytes: Uint8Array | undefined): Fields => fieldsOf(bytes ?? new Uint8Array());

describe('a safetensors file', () => {
  it('holds every array under its name, behind an aligned header, and the facts as strings', async () => {
    const description = describeModel('cnn', { inputShape: [12, 12, 1], outputs: 4 });
    const model = { description, weights: initialWeights(description, 1) };
    const { output, facts } = await exportFile(fileOf(model), 'safetensors', { directory });
    const bytes = await readFile(output);
    const size = Number(bytes.readBigUInt64LE());
    assert.equal((8 + size) % 8, 0);
    const header = JSON.parse(bytes.subarray(8, 8 + size).toString()) as Readonly<Record<string, unknown>>;
    const { __metadata__: metadata, ...arrays } = header as {
      readonly __metadata__: Readonly<Record<string, string>>;
    } & Readonly<
      Record<string, { readonly shape: unknown; readonly data_offsets: readonly [number, number] }>
    >;
    assert.deepEqual(
      Object.keys(arrays),
      model.weights.map(({ name }) => name),
    );
    let end = 0;
    for (const { name, shape, values } of model.weights) {
      const found = arrays[name];
      assert.ok(found !== undefined);
      assert.deepEqual(found.shape, shape);
      const [from, to] = found.data_offsets;
      assert.equal(from, end, 'without gaps');
      end = to;
      assert.deepEqual(bytes.subarray(8 + size + from, 8 + size + to), Buffer.from(values.buffer));
    }
    assert.equal(8 + size + end, bytes.length);
    assert.ok(Object.values(metadata).every((each) => typeof each === 'string'));
    assert.equal(metadata.sha256, facts.sha256);
    assert.deepEqual(JSON.parse(metadata.modelConfig ?? ''), fileOf(model).modelConfig);
  });
});

describe('a .keras file', () => {
  it('is read as the model that it was, and has the facts in metadata.json', async () => {
    const description = describeModel('mlp', { inputShape: [6], outputs: 3 }, [5]);
    const model = { description, weights: initialWeights(description, 2) };
    const { output, facts } = await exportFile(fileOf(model), 'keras', { directory });
    assert.deepEqual((await readKerasFile(output)).weights, model.weights);
    const zip = await new JSZip().loadAsync(await readFile(output));
    const metadata = JSON.parse((await zip.file('metadata.json')?.async('string')) ?? '');
    assert.equal(metadata.sha256, facts.sha256);
    assert.equal(metadata.keras_version, '2.15.0');
  });

  it('has the dialect of Keras 2 where the file is an older one', async () => {
    for (const name of ['keras122-cnn', 'tf113-cnn-gzip']) {
      const old = await readKerasFile(fixturePath(`${name}.h5`));
      const { output } = await exportFile(old, 'keras', { directory });
      const file = await readKerasFile(output);
      assert.equal(file.kerasVersion, '2.15.0');
      assert.doesNotMatch(JSON.stringify(file.modelConfig), /initializer|batch_input_shape":null/);
      const [given, written] = [modelFromKeras(old, name), modelFromKeras(file, output)];
      const inputs = [fixedImages(2, inputShape(given.description))];
      const wanted = await predict(plainOnnxEngine, given, { inputs, count: 2 });
      assert.deepEqual(await predict(plainOnnxEngine, written, { inputs, count: 2 }), wanted, name);
    }
  });
});
