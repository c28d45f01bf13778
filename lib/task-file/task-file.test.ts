/** Files of tasks: what may stand in them, what is said of those that are none, what their functions make. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { sharedDirectory } from '../../test/temporary-directory.js';
import { UsageError } from '../core/errors.js';
import { examplesOfRows, rowsOfExamples } from '../federation/example-rows.js';
import { type Dataset, type Examples, labelledImages } from '../federation/examples.js';
import { describeKerasConfig, kerasConfig } from '../model/keras/keras-model.js';
import { functional as inKerasOrder } from '../model/model-description.js';
import { exampleTask } from './example-task.js';
import { preparedDataset } from './prepared-examples.js';
import { readTask, type TaskFile, withTask } from './read-task.js';
import { defineTask, functionalModel, input, layer, sequentialModel, zoo } from './task-definition.js';
import { readsTypeScript } from './task-module.js';

/** A dataset that a task has prepared, in memory. */
async function preparedWhole(task: TaskFile, { train, test }: Dataset): Promise<Dataset> {
  const rows = {
    train: rowsOfExamples(train),
    ...(test === undefined ? {} : { test: rowsOfExamples(test) }),
  };
  const made = await preparedDataset(task, rows);
  const whole = { train: await examplesOfRows(made.train) };
  return made.test === undefined ? whole : { ...whole, test: await examplesOfRows(made.test) };
}

let directory: string;
before(async () => {
  directory = sharedDirectory();
});
let files = 0;
/** The task of a text. */
async function taskOf(text: string, ending = 'js') {
  const path = join(directory, `task-${files++}.${ending}`);
  await writeFile(path, text);
  return readTask(path);
}
const MLP = "model: { zoo: 'mlp' }";

describe('the file of a task', () => {
  it('may import fedbatch wherever it lies, and Node', async () => {
    const task = await taskOf(`import { join } from 'node:path';
      import {
        defineTask,
        zoo,
      } from 'fedbatch';
      const text = "import { x } from './nowhere.js'";
      export default defineTask({
        model: zoo('mlp', { hidden: [64, join('3', '2').length] }), loss: 'huber:delta=2', optimizer: 'sgd',
        momentum: 0.5, metrics: ['mae', 'price_r2', 'loss'], prepare: (examples) => examples,
      });`);
    assert.deepEqual(task.model, { zoo: 'mlp', hidden: [64, 3] });
    assert.deepEqual(
      [task.loss, task.optimizer],
      [
        { name: 'huber', delta: 2 },
        { optimizer: 'sgd', momentum: 0.5 },
      ],
    );
    assert.deepEqual(task.metrics, ['mae', 'price_r2', 'loss']);
    assert.equal(typeof task.prepare, 'function');
  });

  it('has a loss for each output by name', async () => {
    const { loss } = await taskOf(
      `export default { ${MLP}, loss: { a: 'mse:weight=2', b: 'huber:delta=3' } };`,
    );
    assert.deepEqual(loss, { outputs: { a: { name: 'mse', weight: 2 }, b: { name: 'huber', delta: 3 } } });
  });

  it('is known by its text, and by the file of its model', async () => {
    await writeFile(join(directory, 'beside.h5'), 'one');
    const text = "export default { model: './beside.h5' };";
    const [task, same, other] = [await taskOf(text), await taskOf(text), await taskOf(`${text} `)];
    assert.equal(task.model, join(directory, 'beside.h5'));
    assert.equal(task.sha256, same.sha256);
    assert.notEqual(task.sha256, other.sha256);
    await writeFile(join(directory, 'beside.h5'), 'other');
    assert.notEqual((await taskOf(text)).sha256, task.sha256);
  });

  it('of TypeScript is read where Node can, and else asks for what a compiler makes', async () => {
    const text = `import type { TaskDefinition } from 'fedbatch';
      export default { ${MLP}, loss: 'mse' } satisfies TaskDefinition;`;
    if (readsTypeScript()) assert.deepEqual((await taskOf(text, 'ts')).loss, { name: 'mse' });
    else {
      await assert.rejects(taskOf(text, 'ts'), {
        name: 'UsageError',
        message: /task-\d+\.ts: expected a compiled \.js file, since Node \S+ reads no TypeScript/,
      });
    }
  });

  const wrong: readonly (readonly [string, RegExp])[] = [
    ['export const a = 1;', /expected a task as the default export .*, found none beside a\./],
    ['export default 7;', /as the default export .*, found 7\./],
    ['const x = 1;\nthrow new Error("no luck");', /task-\d+\.js: line 2: no luck\.$/],
    ['export default {', /task-\d+\.js: Unexpected end of input\.$/],
    ["import x from './other.js'; export default x;", /in one file, .* found an import of "\.\/other\.js"/],
    [
      "import { run } from 'fedbatch'; export default run;",
      /'fedbatch' does not provide an export named 'run'/,
    ],
    [
      `export default { ${MLP}, losss: 'mse' };`,
      /expected a task of model, loss, metrics, prepare, .*, found "losss"/,
    ],
    ['export default {};', /expected model to be a Keras config .*, found none\./],
    ['export default { model: { layers: [] } };', /expected model to be .*, found an object with layers\./],
    ["export default { model: { zoo: 'bert' } };", /expected zoo to be one of cnn, .*, found "bert"\./],
    ["export default { model: { zoo: 'mlp', hidden: [0] } };", /hidden to be a list of .*, found \[0\]\./],
    [`export default { ${MLP}, loss: 'hinge' };`, /expected loss to be one of .*, found "hinge"\./],
    [
      `export default { ${MLP}, loss: { a: 'mse', b: 'hinge' } };`,
      /expected loss of b to be one of .*, found "hinge"\./,
    ],
    [
      `export default { ${MLP}, loss: {} };`,
      /expected loss to be a loss, or to have one .*, found an object with/,
    ],
    [
      `export default { ${MLP}, optimizer: 'compiled' };`,
      /expected optimizer to be one of adam, .*"compiled"\./,
    ],
    [
      `export default { ${MLP}, learningRate: '1' };`,
      /learningRate to be a number of at least 0, found "1"\./,
    ],
    [
      `export default { ${MLP}, metrics: 'mae' };`,
      /metrics to be a list of some of accuracy, .*, found "mae"\./,
    ],
    [`export default { ${MLP}, metrics: [] };`, /metrics to be a list of some of accuracy, .*, found \[\]\./],
    [
      `export default { ${MLP}, metrics: ['mae', 'mse'] };`,
      /metrics to be a list of some of .*, found "mse"\./,
    ],
    [
      `export default { ${MLP}, metrics: ['mae', 'mae'] };`,
      /metrics to be a list of .*, found "mae" twice\./,
    ],
    [`export default { ${MLP}, prepare: 3 };`, /expected prepare to be a function of examples, found 3\./],
  ];
  for (const [text, message] of wrong) {
    it(`is refused in one sentence: ${text.slice(0, 60)}`, () =>
      assert.rejects(taskOf(text), (error) => {
        assert.ok(error instanceof UsageError, `${error}`);
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /\n|base64/);
        return true;
      }));
  }

  it('says what flags do not; another optimizer leaves its settings behind', async () => {
    const task = await taskOf(`export default { ${MLP}, loss: 'mse', optimizer: 'sgd', learningRate: 0.5 };`);
    const optimizer = { optimizer: 'sgd', learningRate: 0.5 };
    assert.deepEqual(withTask({ optimizer: {} }, task), { loss: { name: 'mse' }, optimizer });
    assert.deepEqual(withTask({ loss: { name: 'mae' }, optimizer: { momentum: 0 } }, task), {
      loss: { name: 'mae' },
      optimizer: { ...optimizer, momentum: 0 },
    });
    assert.deepEqual(withTask({ optimizer: { optimizer: 'adam' } }, task).optimizer, { optimizer: 'adam' });
    assert.deepEqual(withTask({ loss: undefined, optimizer: {} }, undefined), {
      loss: undefined,
      optimizer: {},
    });
  });
});

describe('what prepare makes', () => {
  const examples = labelledImages([3, 2, 2], new Uint8Array(12).fill(255), Int32Array.of(0, 1, 2));
  const taskWith = (prepare: (given: Examples) => unknown) => ({
    ...{ path: 'task.ts', sha256: '', model: zoo('mlp'), loss: undefined, optimizer: {}, metrics: undefined },
    prepare: prepare as (given: Examples) => Examples,
  });

  it('takes the place of the examples, those for the test too; a list of numbers has a row for each', async () => {
    const task = taskWith((given) => {
      const [target] = given.targets;
      const values = Float32Array.from(target.values, (label) => label / 2);
      return { ...given, targets: [{ ...target, values }], weights: Float32Array.of(1, 0, 2) };
    });
    const { train, test } = await preparedWhole(task, { train: examples, test: examples });
    assert.deepEqual(train.targets, [{ name: 'y', shape: [3, 1], values: Float32Array.of(0, 0.5, 1) }]);
    assert.deepEqual(test, train);
    assert.deepEqual(train.inputs, examples.inputs);
  });

  const [x] = examples.inputs;
  const { targets } = examples;
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [undefined, /give examples \{ inputs: .*\}, found undefined\./],
    [{ targets }, /give examples \{ inputs: .*\}, found \{ targets: \[1\] \}\./],
    [Promise.resolve(examples), /found a promise of them: it must not be async\./],
    [
      { inputs: [{ shape: [3], values: new Float32Array(3) }], targets },
      /inputs\[0\] with a name, found none\./,
    ],
    [{ inputs: [{ ...x, values: [1, 2] }], targets }, /inputs\[0\]\.values as one of .*, found Array\./],
    [
      { inputs: [{ ...x, shape: [2, 2, 2] }], targets },
      /inputs\[0\] of all 3 examples, found a shape of \[2,2,2\]/,
    ],
    [
      { inputs: [{ ...x, shape: [3, 5] }], targets },
      /give 15 inputs\[0\]\.values for the shape \[3,5\], found 12\./,
    ],
    [
      { inputs: [{ ...x, values: new Float32Array(12).fill(Number.NaN, 5) }], targets },
      /finite inputs\[0\]\.values, found NaN in example 1\./,
    ],
    [
      { ...examples, targets: [{ name: 'y', shape: [3], values: Int32Array.of(0, -1, 1) }] },
      /from 0 to 65535, found -1\./,
    ],
    [
      { ...examples, targets: [{ name: 'y', shape: [3, 1], values: Uint8Array.of(0, 1, 2) }] },
      /from 0 to 1, found 2\./,
    ],
    [
      { ...examples, targets: [{ shape: [3], values: new Int32Array(3) }] },
      /targets\[0\] with a name, found none/,
    ],
    [
      { ...examples, targets: [{ name: 'y', shape: [3], values: new Float64Array(3) }] },
      /found Float64Array \[3\]\./,
    ],
    [{ ...examples, weights: Float32Array.of(1, 2) }, /weights as a Float32Array of 3 numbers of at least 0/],
  ];
  for (const [made, message] of wrong) {
    it(`is refused where it is no examples: ${message.source.slice(0, 60)}`, () =>
      assert.rejects(
        () =>
          preparedWhole(
            taskWith(() => made),
            { train: examples },
          ),
        {
          name: 'UsageError',
          message,
        },
      ));
  }

  it('is refused where it fails', async () => {
    const task = taskWith(() => {
      throw new Error('no such column');
    });
    await assert.rejects(() => preparedWhole(task, { train: examples }), {
      name: 'UsageError',
      message: 'task.ts: prepare failed: no such column.',
    });
  });
});

describe('the functions of a task', () => {
  it('write layers in a row as Keras does', () => {
    const config = sequentialModel(input([4]), [
      layer('Dense', { units: 3, activation: 'relu' }),
      layer('Dense', { units: 2 }),
      layer('Bidirectional', { layer: layer('LSTM', { units: 1 }), name: 'both' }),
    ]);
    const { layers } = config.config as { readonly layers: readonly { readonly config: object }[] };
    assert.deepEqual(
      layers.map((each) => (each.config as { readonly name: string }).name),
      ['input_layer', 'dense', 'dense_1', 'both'],
    );
    assert.deepEqual(layers[3]?.config, {
      name: 'both',
      layer: { class_name: 'LSTM', config: { units: 1, name: 'lstm' } },
    });
    const first = describeKerasConfig(sequentialModel(input([4]), [layer('Dense', { units: 3 })]));
    assert.deepEqual(describeKerasConfig(kerasConfig(first)), first);
  });

  it('write a graph of layers, one called twice with its weights once', () => {
    const [a, b] = [input([4], { name: 'a' }), input([4], { name: 'b' })];
    const shared = layer('Dense', { units: 3, name: 'shared' });
    const joined = layer('Concatenate')(shared(a), shared(b));
    const answer = layer('Dense', { units: 1, name: 'answer' })(joined);
    const description = describeKerasConfig(functionalModel({ inputs: [b, a], outputs: [answer] }));
    assert.deepEqual(
      description.inputs.map(({ name }) => name),
      ['b', 'a'],
    );
    assert.deepEqual(
      description.layers.map(({ name }) => name),
      ['shared', 'concatenate', 'answer'],
    );
    assert.equal(description.calls.filter(({ layer: called }) => called === 'shared').length, 2);
    assert.deepEqual(inKerasOrder(description).outputs, description.outputs);
    assert.deepEqual(describeKerasConfig(kerasConfig(description)), description);
  });

  it('give back the task that is defined', () => {
    const task = { model: zoo('cnn'), learningRate: 0.1 };
    assert.equal(defineTask(task), task);
  });
});

it('the example of a task is one', async () => {
  const task = await taskOf(exampleTask('task.js'));
  assert.deepEqual(task.optimizer, { optimizer: 'adam', learningRate: 0.002 });
  const images = labelledImages([2, 1, 2], Uint8Array.of(0, 255, 51, 102), Int32Array.of(0, 1));
  const { train } = await preparedWhole(task, { train: images });
  assert.deepEqual(train.inputs[0].values, Float32Array.of(-1, 1, -0.6, -0.2));
});
