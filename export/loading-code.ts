/** How a model is loaded, format by format: the lines that a card shows, with the model's own names and shapes. */
import type { ExportedFacts } from '../lib/formats/export-result.js';
import { codeBlock } from '../lib/html/html.js';
import type { FormatName } from './format.js';

/** What is written beside a card, where something is. */
export interface WrittenModel {
  readonly to: FormatName | undefined;
  /** Its name. */
  readonly file: string;
}

/** Sentences and blocks of code that load what was written; without it, the model's own file. */
export function loadingCode(facts: ExportedFacts, { to, file }: WrittenModel): readonly string[] {
  if (to === undefined)
    return [
      'The file is one of Keras 2 and 3. `npx fedbatch export` writes it for other programs.',
      codeBlock('python', fromKeras(facts, facts.model)),
    ];
  return CODE[to](facts, file);
}

const CODE: Readonly<Record<FormatName, (facts: ExportedFacts, file: string) => readonly string[]>> = {
  onnx: (facts, file) => [
    codeBlock(
      'python',
      [
        'import numpy as np, onnxruntime',
        '',
        `session = onnxruntime.InferenceSession(${text(file)})`,
        `answers = session.run(None, {${facts.inputs.map((each) => `${text(each.name)}: ${zeros(each)}`).join(', ')}})`,
        'facts = session.get_modelmeta().custom_metadata_map',
      ].join('\n'),
    ),
  ],
  savedmodel: ({ inputs }, file) => [
    codeBlock(
      'python',
      [
        'import numpy as np, tensorflow as tf',
        '',
        `serve = tf.saved_model.load(${text(file)}).signatures["serving_default"]`,
        `answers = serve(${inputs.map((each) => `${variable(each.name)}=tf.constant(${zeros(each)})`).join(', ')})`,
      ].join('\n'),
    ),
    'TensorFlow Serving serves the folder as version 1 of a model where it lies at `<model>/1`; the facts are in ' +
      '`assets.extra/fedbatch.json`.',
  ],
  tfjs: ({ inputs }, file) => {
    const given = inputs.map(({ shape }) => `tf.zeros([${[1, ...shape].join(', ')}])`);
    return [
      codeBlock(
        'js',
        [
          "import * as tf from '@tensorflow/tfjs';",
          '',
          `const model = await tf.loadLayersModel(${text(`${file}/model.json`)});`,
          `const answers = model.predict(${given.length === 1 ? given[0] : `[${given.join(', ')}]`});`,
          'const facts = model.getUserDefinedMetadata();',
        ].join('\n'),
      ),
    ];
  },
  safetensors: (_facts, file) => [
    codeBlock(
      'python',
      [
        'from safetensors import safe_open',
        '',
        `with safe_open(${text(file)}, framework="np") as opened:`,
        '    weights = {name: opened.get_tensor(name) for name in opened.keys()}',
        '    facts = opened.metadata()',
      ].join('\n'),
    ),
    'The architecture is in the facts, as the JSON of Keras: `modelConfig`.',
  ],
  keras: (facts, file) => [codeBlock('python', fromKeras(facts, file))],
};

function fromKeras({ inputs }: ExportedFacts, file: string): string {
  const given = inputs.map(zeros);
  return [
    'import keras, numpy as np',
    '',
    `model = keras.models.load_model(${text(file)})`,
    `answers = model.predict(${given.length === 1 ? given[0] : `[${given.join(', ')}]`})`,
  ].join('\n');
}

type Input = ExportedFacts['inputs'][number];

const zeros = ({ shape, type }: Input) => `np.zeros((1, ${shape.join(', ')}), "${type}")`;

/** As a string of Python and of JavaScript. */
const text = (value: string) => JSON.stringify(value);

/** As the script that writes SavedModels calls it. */
const variable = (name: string) => name.replaceAll(/[^A-Za-z0-9_.]/g, '_');
