/** Model files: HDF5 and archives of Keras, client updates and what else of a round is HDF5, and a model as it is served. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareEngines } from '../../../lib/engine/native-environment.js';
import { encodeGroup, readGroup } from '../../../lib/formats/group-file.js';
import { decodeKerasFile, encodeKerasFile, readUpdateFacts } from '../../../lib/formats/keras/keras-hdf5.js';
import { encodeServerState, readServerState } from '../../../lib/formats/server-state-file.js';
import { kerasConfig, modelFromKeras } from '../../../lib/model/keras/keras-model.js';
import { type ModelDescription, sequential } from '../../../lib/model/model-description.js';
import { initialWeights } from '../../../lib/model/parameters.js';
import { loadServedModel } from '../../../server/models/load-model.js';
import { projectRoot } from '../../sources.js';
import { filesOf } from '../corpus.js';
import { changed, type Reshape } from '../mutate.js';
import { jsonValues, oneOf, wordsOf, zipEntries } from '../reshape.js';
import { type FuzzTarget, type MakeTarget, readAny } from '../target.js';

const WORDS = [
  ...wordsOf(
    '\x89HDF\r\n\x1a\n',
    'TREE',
    'HEAP',
    'SNOD',
    'GCOL',
    'OHDR',
    'FRHP',
    'BTHD',
    'OCHK',
    'model_config',
  ),
  ...wordsOf(
    'layer_names',
    'weight_names',
    'keras_version',
    'model_weights',
    'class_name',
    'Dense',
    'Conv2D',
    'units',
  ),
  ...wordsOf(
    'fedbatch_client',
    'fedbatch_round',
    'fedbatch_examples',
    'fedbatch_parent',
    'batch_input_shape',
  ),
  ...wordsOf(
    'InputLayer',
    'Embedding',
    'LSTM',
    'MaxPooling2D',
    'Reshape',
    'null',
    'inbound_nodes',
    'strides',
  ),
];

/** The description of a model stands in the file as JSON: a value of it changed, the length kept. */
const description: Reshape = (bytes, ingredients) => {
  const start = bytes.indexOf('{"');
  if (start < 0) return undefined;
  const end = endOfJson(bytes, start);
  if (end === undefined) return undefined;
  const made = jsonValues(bytes.subarray(start, end), ingredients);
  if (made === undefined || made.length > end - start) return undefined;
  const padded = Buffer.alloc(end - start, ' ');
  padded.set(made);
  return Buffer.concat([bytes.subarray(0, start), padded, bytes.subarray(end)]);
};

function endOfJson(bytes: Buffer, start: number): number | undefined {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    if (bytes[at] === 0x7b) depth++;
    else if (bytes[at] === 0x7d && --depth === 0) return at + 1;
    else if (bytes[at] === 0) return undefined;
  }
  return undefined;
}

const DENSE = sequential({
  name: 'model',
  inputShape: [4, 4, 1],
  layers: [
    { kind: 'flatten', name: 'flatten' },
    { kind: 'dense', name: 'dense', units: 3, useBias: true, activation: 'softmax' },
  ],
});

const fileOf = (of: ModelDescription) => ({
  modelConfig: kerasConfig(of),
  kerasVersion: '2.15.0',
  weights: initialWeights(of, 7),
});

async function models(directory: string, ending: string): Promise<FuzzTarget> {
  const file = join(directory, `input${ending}`);
  const archive = ending === '.keras';
  return {
    seeds: [
      await encodeKerasFile(fileOf(DENSE), archive ? 'keras' : 'h5'),
      ...(await filesOf('lib/formats/fixtures', archive ? /\.keras$/ : /^(keras|tf|weights).*\.h5$/)),
    ],
    words: WORDS,
    reshape: archive
      ? zipEntries((name) => (name.endsWith('.json') ? oneOf(jsonValues, changed) : changed))
      : description,
    async read(bytes) {
      const read = await decodeKerasFile(bytes, file);
      modelFromKeras(read, file, { keepForeignLayers: true });
    },
  };
}

/** A Keras model in HDF5. */
export const h5: MakeTarget = (directory) => models(directory, '.h5');
/** The same in an archive. */
export const keras: MakeTarget = (directory) => models(directory, '.keras');

const PARENT = 'ab'.repeat(32);

/** What an aggregator is sent: an update, a group's sums; and the state that it left itself. */
export const update: MakeTarget = async (directory) => {
  const file = join(directory, 'input.h5');
  const weights = initialWeights(DENSE, 7);
  const extras = { controlChange: weights, steps: 5 };
  const sums = {
    arrays: weights.map(({ name, shape, values }) => ({ name, shape, parts: [Float64Array.from(values)] })),
    totalWeight: 5,
  };
  const facts = { client: 0, round: 1, examples: 5, parent: PARENT };
  return {
    seeds: [
      await encodeKerasFile({ ...fileOf(DENSE), update: facts }),
      await encodeKerasFile({ ...fileOf(DENSE), update: facts, extras }),
      await encodeServerState({
        strategy: 'fedadam',
        round: 2,
        model: PARENT,
        slots: { momentum: weights },
        lastRounds: { 0: 1 },
        clip: 1,
      }),
      await encodeGroup({
        ...{ ...fileOf(DENSE), group: 'a', round: 1, parent: PARENT, sums },
        clients: [{ client: 0, examples: 5, sha256: PARENT }],
      }),
      await readFile(join(projectRoot, 'lib/formats/fixtures/weights-only.h5')),
    ],
    words: WORDS,
    reshape: description,
    async read(bytes) {
      await writeFile(file, bytes);
      await readAny(
        () => readUpdateFacts(file, { maxBytes: 1_000_000 }),
        () =>
          decodeKerasFile(bytes, file, {
            types: ['float32'],
            like: weights,
            isPlain: true,
            extras: { controlChange: { kind: 'tensor' }, steps: { kind: 'number', min: 0, max: 1e9 } },
          }),
        () => readServerState(file),
        () => readGroup(file),
      );
    },
  };
};

/** A model as a server loads it: its graph is built, and answers once. Slow, since the engine plans each graph. */
export const served: MakeTarget = async (directory) => {
  prepareEngines({ threads: 1 });
  const file = join(directory, 'input.h5');
  return {
    ...(await models(directory, '.h5')),
    async read(bytes) {
      await writeFile(file, bytes);
      const { session } = await loadServedModel({ modelPath: file, threads: 1 });
      await session.dispose();
    },
  };
};
