/** Graphs of layers in Keras' JSON: the dialect of Keras 1, and what is told of models that do not fit together. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ModelError } from '../../core/errors.js';
import { buildTrainingGraph } from '../../engine/onnx/graphs/training-graph.js';
import { describeKerasConfig } from './keras-model.js';

const place = (name: string, keywords: object = {}, tensor = 0) => [name, 0, tensor, keywords];
const listed = (className: string, name: string, config: object, ...nodes: readonly unknown[]) => ({
  class_name: className,
  name,
  config: { name, ...config },
  inbound_nodes: nodes,
});
const input = (name: string, ...shape: readonly number[]) =>
  listed('InputLayer', name, { batch_input_shape: [null, ...shape] });
const model = (layers: readonly ReturnType<typeof listed>[], output = layers.at(-1)?.name) => ({
  class_name: 'Functional',
  config: {
    name: 'm',
    layers,
    input_layers: layers
      .filter(({ class_name: className }) => className === 'InputLayer')
      .map(({ name }) => [name, 0, 0]),
    output_layers: [[output, 0, 0]],
  },
});
const dense = (name: string, ...nodes: readonly unknown[]) => listed('Dense', name, { units: 3 }, ...nodes);

describe('a functional config', () => {
  it('of Keras 1 has merges by their mode, and inputs without arguments', () => {
    const merged = (mode: string, config: object = {}) =>
      describeKerasConfig(
        model([
          input('a', 3),
          input('b', 3),
          listed('Merge', 'merged', { mode, ...config, arguments: {} }, [
            ['a', 0, 0],
            ['b', 0, 0],
          ]),
        ]),
      ).layers[0];
    assert.deepEqual(merged('concat', { concat_axis: -1 }), {
      kind: 'concatenate',
      name: 'merged',
      axis: -1,
    });
    assert.deepEqual(merged('sum'), { kind: 'merge', name: 'merged', operation: 'add' });
    assert.throws(() => merged('cos'), /layer merged \(Merge\): mode "cos" is not supported/);
  });

  it('calls layers in order of computation, whatever their order in the list', () => {
    const { calls } = describeKerasConfig(
      model([dense('last', [place('first')]), input('x', 2), dense('first', [place('x')])], 'last'),
    );
    assert.deepEqual(calls, [
      { layer: 'first', inputs: ['x'], output: 'first' },
      { layer: 'last', inputs: ['first'], output: 'last' },
    ]);
  });

  const refused: readonly (readonly [string, unknown, RegExp])[] = [
    [
      'a merge of inputs that do not fit',
      model([input('a', 4), input('b', 5), listed('Add', 'sum', {}, [place('a'), place('b')])]),
      /^layer sum: its inputs do not fit together: a \[4\], b \[5\]$/,
    ],
    [
      'images side by side that differ in height',
      model([
        input('a', 4, 4, 1),
        input('b', 3, 4, 1),
        listed('Concatenate', 'wide', { axis: -1 }, [place('a'), place('b')]),
      ]),
      /^layer wide: its inputs do not fit together: a \[4,4,1\], b \[3,4,1\]$/,
    ],
    [
      'a merge of one',
      model([input('a', 4), listed('Add', 'sum', {}, [place('a')])]),
      /^layer sum: takes at least 2 inputs, is given 1$/,
    ],
    [
      'a layer of one input on two',
      model([input('a', 4), input('b', 4), dense('d', [place('a'), place('b')])]),
      /^layer d: takes 1 input, is given 2$/,
    ],
    [
      'a shared layer on inputs of two sizes',
      model([input('a', 4), input('b', 5), dense('d', [place('a')], [place('b')])]),
      /^layer d: is called on \[5\], which its kernel of \[4,3\] from an earlier call does not fit$/,
    ],
    [
      'a second output of a layer',
      model([input('a', 4), dense('d', [place('a')]), dense('e', [place('d', {}, 1)])]),
      /^layer e \(Dense\): reads output 1 of layer d, which is not supported$/,
    ],
    [
      'an argument of a call that is not known',
      model([input('a', 4), dense('d', [place('a', { temperature: 2 })])]),
      /^layer d \(Dense\): is called with temperature 2, which is not supported$/,
    ],
  ];
  for (const [name, config, message] of refused) {
    it(`with ${name} is refused by name`, () =>
      assert.throws(
        () => describeKerasConfig(config),
        (error) => error instanceof ModelError && message.test(error.message),
      ));
  }

  it('with a batch normalization in several calls predicts, and is not trained', () => {
    const description = describeKerasConfig(
      model([
        input('a', 4),
        input('b', 4),
        listed('BatchNormalization', 'bn', {}, [place('a')], [place('b')]),
        listed('Add', 'sum', {}, [
          ['bn', 0, 0, {}],
          ['bn', 1, 0, {}],
        ]),
      ]),
    );
    assert.throws(
      () => buildTrainingGraph(description, { optimizer: { kind: 'sgd', learningRate: 1, momentum: 0 } }),
      /layer bn: is called several times, .* such a model can predict only/,
    );
  });
});
