/** Losses: the graph's value is that of single examples, its gradient the slope; texts there and back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeOnnxModel } from '../../engine/onnx/graphs/onnx-model.js';
import { createInferenceSession, loadOnnxRuntime } from '../../engine/onnx/runtime.js';
import {
  type AskedLoss,
  LOSS_NAMES,
  type LossSettings,
  lossNamed,
  parseAskedLoss,
  parseLoss,
  targetsFor,
  writeAskedLoss,
  writeLoss,
} from '../../federation/loss.js';
import { GraphBuilder } from '../graph/graph-builder.js';
import { BATCH_AXIS, gradients } from '../primitives/value.js';
import { lossModule } from './losses.js';

const runtime = await loadOnnxRuntime('cpu', 1);
const OUTPUTS = 3;

interface Case {
  readonly outputs: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
  readonly weights: readonly number[];
}

/** Loss and gradient at the outputs, by the graph. */
async function byGraph(settings: LossSettings, { outputs, targets, weights }: Case) {
  const graph = new GraphBuilder();
  const { targets: kind, graph: build } = lossModule(settings);
  const isLabels = kind === 'labels';
  const shape = [BATCH_AXIS, OUTPUTS];
  const [type, wide] = [isLabels ? 'int32' : 'float32', isLabels ? [] : [OUTPUTS]] as const;
  const output = { graph, tensor: graph.input('output', 'float32', ['batch', OUTPUTS]), shape };
  const loss = build({
    settings,
    output,
    target: { graph, tensor: graph.input('target', type, ['batch', ...wide]), shape: [BATCH_AXIS, ...wide] },
    weights: { graph, tensor: graph.input('weights', 'float32', ['batch', 1]), shape: [BATCH_AXIS, 1] },
  });
  const [slope] = gradients(loss, graph.scalar(1), [output]);
  graph.output('loss', loss.tensor, { type: 'float32', shape: [] });
  graph.output('slope', slope as string, { type: 'float32', shape: ['batch', OUTPUTS] });
  const session = await createInferenceSession(encodeOnnxModel(graph.build()), { runtime, threads: 1 });
  const count = outputs.length;
  const { Tensor } = runtime;
  const found = await session.run({
    output: new Tensor('float32', Float32Array.from(outputs.flat()), [count, OUTPUTS]),
    target: isLabels
      ? new Tensor('int32', Int32Array.from(targets.flat()), [count])
      : new Tensor('float32', Float32Array.from(targets.flat()), [count, OUTPUTS]),
    weights: new Tensor('float32', Float32Array.from(weights), [count, 1]),
  });
  await session.release();
  const floats = (name: string) => found[name]?.data as Float32Array;
  return { loss: floats('loss')[0] as number, slope: floats('slope') };
}

/** The same loss, example by example, in doubles. */
function byExample(settings: LossSettings, { outputs, targets, weights }: Case): number {
  const { ofExample } = lossModule(settings);
  return outputs.reduce(
    (sum, output, at) =>
      sum +
      (weights[at] as number) * ofExample(output as unknown as Float32Array, targets[at] ?? [], settings),
    0,
  );
}

/** Losses that the graph computes from logits, so that a single example is given logits, too. */
const SETTINGS: readonly LossSettings[] = [
  { name: 'categorical_crossentropy', fromLogits: true },
  { name: 'categorical_crossentropy', fromLogits: true, labelSmoothing: 0.25 },
  { name: 'binary_crossentropy', fromLogits: true },
  { name: 'binary_crossentropy', fromLogits: true, labelSmoothing: 0.25 },
  { name: 'mse' },
  { name: 'mae' },
  { name: 'huber' },
  { name: 'huber', delta: 0.5 },
  { name: 'poisson' },
  { name: 'log_cosh' },
  { name: 'msle' },
];

describe('losses', () => {
  it('are all tried', () => {
    assert.deepEqual(new Set(SETTINGS.map(({ name }) => name)), new Set(LOSS_NAMES));
  });

  for (const settings of SETTINGS) {
    const { targets: kind, logitsOf } = lossModule(settings);
    // Multiples of 1/8 off the corners, and above 0 where logarithms are taken.
    const number = fc.integer({ min: settings.name.match(/poisson|msle/) ? 1 : -24, max: 24 });
    const output = number.map((value) => value / 8 + 0.0625);
    const target =
      kind === 'labels'
        ? fc.integer({ min: 0, max: OUTPUTS - 1 }).map((label) => [label])
        : fc.array(logitsOf ? fc.constantFrom(0, 1) : number.map((value) => value / 8), {
            minLength: OUTPUTS,
            maxLength: OUTPUTS,
          });
    const example = fc.record({
      output: fc.array(output, { minLength: OUTPUTS, maxLength: OUTPUTS }),
      target,
      weight: fc.constantFrom(0, 0.5, 1),
    });
    const cases = fc.array(example, { minLength: 1, maxLength: 3 }).map((all) => ({
      outputs: all.map((each) => each.output),
      targets: all.map((each) => each.target),
      weights: all.map(({ weight }) => weight),
    }));

    it(`${writeLoss(settings)} of a batch is the weighted sum of its examples, and its gradient the slope`, () =>
      fc.assert(
        fc.asyncProperty(cases, async (each) => {
          const { loss, slope } = await byGraph(settings, each);
          const expected = byExample(settings, each);
          assert.ok(
            Math.abs(loss - expected) < 1e-5 * Math.max(1, Math.abs(expected)),
            `${loss}, ${expected}`,
          );
          for (let at = 0; at < slope.length; at++) {
            const moved = (by: number) => ({
              ...each,
              outputs: each.outputs.map((row, index) =>
                row.map((value, column) => (index * OUTPUTS + column === at ? value + by : value)),
              ),
            });
            const step = 2 ** -12;
            const wanted =
              (byExample(settings, moved(step)) - byExample(settings, moved(-step))) / (2 * step);
            assert.ok(Math.abs((slope[at] as number) - wanted) < 1e-3, `${at}: ${slope[at]}, ${wanted}`);
          }
        }),
        { numRuns: 5, seed: 3 },
      ));
  }

  it('of probabilities are those of their logits', () => {
    for (const [name, probabilities, logits, target] of [
      ['categorical_crossentropy', [0.2, 0.3, 0.5], [0.2, 0.3, 0.5].map(Math.log), [1]],
      ['binary_crossentropy', [0.25, 0.75], [-Math.log(3), Math.log(3)], [1, 0]],
    ] as const) {
      for (const labelSmoothing of [0, 0.1]) {
        const { ofExample } = lossModule({ name });
        const found = ofExample(Float32Array.from(probabilities), target, { name, labelSmoothing });
        const wanted = ofExample(Float32Array.from(logits), target, {
          name,
          labelSmoothing,
          fromLogits: true,
        });
        assert.ok(Math.abs(found - wanted) < 1e-6, `${name}: ${found}, ${wanted}`);
      }
    }
  });

  it('have the values that Keras gives', () => {
    // keras.losses.<name>()(target, output), Keras 3.15.1.
    for (const [text, output, target, expected] of [
      ['mse', [1, 2], [0, 4], 2.5],
      ['mae', [1, 2], [0, 4], 1.5],
      ['huber', [1, 2], [0, 4], 1],
      ['huber:delta=0.5', [1, 2], [0, 4], 0.625],
      ['poisson', [1, 2], [0, 4], 0.1137055],
      ['log_cosh', [1, 2], [0, 4], 0.8793917],
      ['msle', [1, 2], [0, 4], 0.3706988],
      ['categorical_crossentropy:label_smoothing=0.2', [0.25, 0.75], [1], 0.3975424],
      ['binary_crossentropy:from_logits', [2, -1], [1, 1], 0.7200948],
    ] as const) {
      const settings = parseLoss(text);
      assert.ok(settings, text);
      const found = lossModule(settings).ofExample(Float32Array.from(output), target, settings);
      assert.ok(Math.abs(found - expected) < 1e-6, `${text}: ${found}, expected ${expected}`);
    }
  });

  it('are texts that come back, under every name of Keras', () => {
    for (const settings of SETTINGS) assert.deepEqual(parseLoss(writeLoss(settings)), settings);
    for (const name of LOSS_NAMES) assert.equal(lossNamed(name), name);
    for (const [keras, name] of [
      ['SparseCategoricalCrossentropy', 'categorical_crossentropy'],
      ['mean_squared_error', 'mse'],
      ['Huber', 'huber'],
    ]) {
      assert.equal(lossNamed(keras as string), name);
    }
    for (const text of [
      '',
      'hinge',
      'mse:delta=1',
      'huber:delta=0',
      'huber:delta=',
      'binary_crossentropy:label_smoothing=1',
    ]) {
      assert.equal(parseLoss(text), undefined, text);
    }
  });

  it('are named for outputs, with their parameters and weights', () => {
    const asked = parseAskedLoss(
      'price=huber:delta=2,weight=0.5, kind=CategoricalCrossentropy:from_logits,label_smoothing=0.1,ok=mae',
    );
    const kind = { name: 'categorical_crossentropy', fromLogits: true, labelSmoothing: 0.1 };
    assert.deepEqual(asked, {
      outputs: { price: { name: 'huber', delta: 2, weight: 0.5 }, kind, ok: { name: 'mae' } },
    });
    assert.deepEqual(targetsFor(asked), { price: 'numbers', kind: 'labels', ok: 'numbers' });
    assert.equal(targetsFor(parseAskedLoss('a=binary_crossentropy')), undefined);
    const weights = fc.option(fc.double({ min: 0, max: 9, noNaN: true }), { nil: undefined });
    const losses = fc.dictionary(
      fc.stringMatching(/^[a-z_][a-z0-9_./]{0,8}$/),
      fc.tuple(fc.constantFrom(...SETTINGS), weights),
      { minKeys: 1 },
    );
    fc.assert(
      fc.property(losses, (given) => {
        const outputs = Object.fromEntries(
          Object.entries(given).map(([output, [loss, weight]]) => [
            output,
            weight === undefined || weight === 1 ? loss : { ...loss, weight },
          ]),
        );
        const wanted: AskedLoss = { outputs };
        assert.deepEqual(parseAskedLoss(writeAskedLoss(wanted)), wanted);
      }),
    );
    for (const text of [
      '',
      'price=hinge',
      'price=mse,kind=hinge',
      'price=mse,price=mae',
      'price=mse:weight=-1',
      'price=mse:delta=1',
      'mse,mae',
      '=mse',
      'price=',
    ])
      assert.equal(parseAskedLoss(text), undefined, text);
  });
});
