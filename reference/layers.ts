/** docs/LAYERS.md: the layers of Keras that are read, made of the registry of layers. */
import { quote } from '../lib/model/keras/keras-settings.js';
import { LAYER_MODULES } from '../lib/model/layers/registry.js';
import type { KerasClass } from '../lib/model/layers/settings.js';
import { code, table } from './page.js';

/** The page as Markdown. */
export function layersPage(): string {
  const classes = LAYER_MODULES.flatMap(({ keras }) => keras);
  return `${[
    '# Layers',
    'What `train --init`, `evaluate`, `serve` and `predict` read of a Keras model, Sequential or functional, written by Keras 1, 2 ' +
      'or 3. Each setting of these layers is obeyed, or refused with its name and that of the layer. Made by `npm run docs`.',
    table(
      ['class', 'obeyed', 'refused with another value', 'without effect', 'refused in training'],
      classes.map((each) => [
        each.names.map(code).join(', '),
        obeyed(each),
        refused(each),
        codes(each.withoutEffect),
        codes(each.forTrainingOnly),
      ]),
    ),
    'Names that are listed together are those of one setting in different versions of Keras.',
    'Of every layer:',
    [
      '- `name` names the weights; where they once began (`kernel_initializer`, …) has no effect, for they are in the file.',
      '- `dtype`: layers of `float64`, `float16`, `bfloat16` and their mixed policies are computed in `float32`. Other types, ' +
        'such as `int8`, are refused.',
      '- A model with a regularizer, a constraint, or `trainable: false` in a layer with weights predicts. Training it is ' +
        'refused with the name of the layer and of the setting.',
    ].join('\n'),
    'A model with other layers, or with settings that are refused here, is given to TensorFlow.js where that is installed ' +
      '(`--engine tensorflow`): it builds the layers of Keras 2 that it knows, and what it does not know is refused by name.',
  ].join('\n\n')}\n`;
}

function obeyed({ settings }: KerasClass): string {
  return Object.values(settings)
    .flatMap((setting) =>
      'allowed' in setting ? [] : [`${setting.keys.map(code).join(' or ')}: ${setting.expected}`],
    )
    .join('<br>');
}

function refused({ settings }: KerasClass): string {
  return Object.values(settings)
    .flatMap((setting) =>
      'allowed' in setting ? [`${code(setting.keys[0])}: ${code(quote(setting.allowed[0]))}`] : [],
    )
    .join('<br>');
}

const codes = (names: readonly string[] = []) => names.map(code).join(', ');
