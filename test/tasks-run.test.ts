/** Runs of other tasks than classification, from end to end: numbers, yes or no, what of several holds; what does not fit is refused. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { randomStream } from '../lib/core/random.js';
import { encodeNpz, type NamedArray } from '../lib/formats/data/npz.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readManifest } from '../lib/formats/manifest.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { eventsOf, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const FEATURES = 4;
const EXAMPLES = 240;

/** A table of noise, and what follows from its first two columns. */
function table(): { readonly x: Float32Array; readonly signal: Float32Array } {
  const random = randomStream(5, 'table');
  const x = Float32Array.from({ length: EXAMPLES * FEATURES }, () => random.normal());
  const signal = Float32Array.from(
    { length: EXAMPLES },
    (_, row) => 2 * (x[row * FEATURES] as number) - (x[row * FEATURES + 1] as number),
  );
  return { x, signal };
}

let directory: string;
const path = (name: string) => join(directory, name);
const run = (volume: string, ...args: readonly string[]) => {
  const common = ['--volume', path(volume), '--clients', '2', '--threads', '1', '--json'];
  const work = ['--epochs', '3', '--batch', '10', '--optimizer', 'sgd', '--learning-rate', '0.02'];
  return runCommand('run', [...common, ...work, ...args], { cwd: directory });
};

before(async () => {
  directory = sharedDirectory();
  const { x, signal } = table();
  const write = async (name: string, y: NamedArray['values'], size = 1) => {
    const shape = size === 1 ? [EXAMPLES] : [EXAMPLES, size];
    const arrays = [
      { name: 'x', shape: [EXAMPLES, FEATURES], values: x },
      { name: 'y', shape, values: y },
    ];
    await writeFile(path(name), await encodeNpz(arrays));
  };
  await write('numbers.npz', signal);
  await write('whole.npz', signal.map(Math.round));
  await write(
    'yes-no.npz',
    Uint8Array.from(signal, (value) => Number(value > 0)),
  );
  const holds = Uint8Array.from({ length: EXAMPLES * 3 }, (_, at) =>
    Number((signal[Math.floor(at / 3)] as number) > (at % 3) - 1),
  );
  await write('several.npz', holds, 3);
});

describe('a run of a regression', () => {
  it('learns, keeps the best model by its error, and ends at the target', async () => {
    const flags = ['--data', 'numbers.npz', '--model', 'mlp', '--rounds', '4'];
    const { exitCode, stdout, stderr } = await run('numbers', ...flags, '--min-metric', 'rmse=1.5');
    assert.equal(exitCode, 0, stderr);
    const told = stderr.match(/regression by the loss mse, since the model ends in linear/g);
    assert.equal(told?.length, 1, stderr);
    const result = JSON.parse(lastLine(stdout));
    assert.equal(result.accuracy, undefined);
    const courses = await Promise.all([1, 2, 3, 4].map((round) => roundOf(path('numbers'), round)));
    const errors = courses.map(({ evaluation }) => evaluation?.metrics?.rmse as number);
    assert.ok((errors.at(-1) as number) < (errors[0] as number) * 0.7, errors.join());
    assert.equal(result.best.metrics.rmse, Math.min(...errors));
    assert.equal(result.best.round, 1 + errors.indexOf(Math.min(...errors)));
    assert.ok(courses.every(({ reported }) => reported.every(({ accuracy }) => accuracy === undefined)));
    assert.equal(eventsOf(path('numbers'), 'round').at(-1)?.best, Math.min(...errors));

    const report = JSON.parse(await readFile(path('numbers/accuracy.json'), 'utf8'));
    assert.deepEqual(
      [report.task, Object.keys(report.metrics), report.perClass, report.confusion],
      ['regression', ['mae', 'rmse', 'rmspe', 'r2'], undefined, undefined],
    );
    assert.ok(Math.abs(report.metrics.rmse ** 2 - report.loss) < 1e-4, 'the loss is the mean squared error');
    const { classes, image, inputs, targets } = await readManifest(path('numbers/data/manifest.json'));
    assert.deepEqual([classes, image, targets], [undefined, undefined, { kind: 'numbers', size: 1 }]);
    assert.deepEqual(inputs, [{ name: 'x', shape: [FEATURES], dtype: 'float32' }]);
    const page = await readFile(path('numbers/report.html'), 'utf8');
    assert.match(page, /What the test found/);

    // The same settings find everything done; a target that a round has reached ends the run there.
    const again = await run('numbers', ...flags, '--target-metric', `rmse=${(errors[1] as number) + 1e-9}`);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.deepEqual(JSON.parse(lastLine(again.stdout)).roundsToTarget, 2);
    const missed = await run('numbers', ...flags, '--min-metric', 'rmse=0.0001');
    assert.equal(missed.exitCode, 4);
    assert.match(missed.stderr, /The rmse \S+ misses the required 0\.0001\./);
  });

  it('is the same simulated', async () => {
    const flags = ['--data', 'numbers.npz', '--model', 'mlp', '--rounds', '1'];
    const [one, other] = [
      await run('as-processes', ...flags),
      await run('simulated', ...flags, '--simulate'),
    ];
    const of = ({ stdout }: typeof one) => {
      const { sha256, loss, metrics } = JSON.parse(lastLine(stdout));
      return { sha256, loss, metrics };
    };
    assert.deepEqual(of(other), of(one));
  });

  it('takes whole numbers as quantities where the loss says so, and as classes where it does not', async () => {
    const flags = ['--data', 'whole.npz', '--model', 'mlp', '--rounds', '1'];
    const asked = await run('whole', ...flags, '--loss', 'huber:delta=2');
    assert.match(asked.stderr, /expected|huber:delta=2, as asked for/);
    assert.equal(asked.exitCode, 0, asked.stderr);
    // The models say themselves by what they were trained, so that nothing else has to.
    const { loss: trained } = JSON.parse(lastLine(asked.stdout));
    const evaluate = async (...of: readonly string[]) => {
      const files = ['--model', path('whole/aggregated-model.h5'), '--out', path('judged.json')];
      const { exitCode, stderr } = await runCommand('evaluate', [...files, '--threads', '1', ...of]);
      assert.equal(exitCode, 0, stderr);
      return { stderr, loss: JSON.parse(await readFile(path('judged.json'), 'utf8')).loss };
    };
    const judged = await evaluate();
    assert.match(judged.stderr, /regression by the loss huber:delta=2, as the model was compiled/);
    assert.equal(judged.loss, trained);
    assert.notEqual((await evaluate('--loss', 'mse')).loss, trained);
    const { trainingConfig = '' } = await readKerasFile(path('whole/aggregated-model.h5'));
    const { optimizer_config: optimizer } = JSON.parse(trainingConfig);
    assert.deepEqual(
      [optimizer.class_name, optimizer.config.learning_rate, optimizer.config.momentum],
      ['SGD', 0.02, 0.9],
    );
    assert.doesNotMatch(asked.stderr, /takes the place of/, 'the file says what the flags say');
    const refused = await run('whole-classes', ...flags);
    assert.equal(refused.exitCode, 3);
    assert.match(
      refused.stderr,
      /whole\.npz: expected labels from 0 to 65535 in y, found -\d+ in example \d+/,
    );
  });

  it('refuses what contradicts it before anything is trained, naming both sides', async () => {
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [
        ['--data', 'numbers.npz', '--model', 'mlp', '--loss', 'categorical_crossentropy'],
        3,
        /numbers\.npz: expected y to hold whole-number labels, found \S+ in example 0/,
      ],
      [
        ['--data', 'numbers.npz', '--model', 'mlp', '--partition', 'dirichlet'],
        2,
        /scheme dirichlet deals by labels, and the targets of these data are none: choose one of iid,/,
      ],
      [
        ['--data', 'numbers.npz', '--model', 'cnn'],
        3,
        /expected images \[n,h,w\] or \[n,h,w,c\] for the model cnn; mlp, logistic, 2nn and lstm take any inputs, found inputs of shape \[4\]/,
      ],
      [['--data', 'numbers.npz', '--loss', 'hinge'], 2, /--loss.* one of categorical_crossentropy, .*hinge/],
      [['--data', 'numbers.npz', '--target-metric', 'rmse'], 2, /--target-metric.* such as rmse=3\.2/],
      [
        ['--data', 'numbers.npz', '--model', 'mlp', '--scale', '-1..1'],
        2,
        /inputs of \S*numbers\.npz are no images/,
      ],
    ];
    for (const [flags, code, sentence] of cases) {
      const { exitCode, stderr } = await run('refused', '--fresh', ...flags);
      assert.equal(exitCode, code, stderr);
      assert.match(stderr, sentence);
      assert.doesNotMatch(stderr, /reported|bug/);
    }
  });

  it('tells train and evaluate what a model of classes is not for', async () => {
    const { exitCode, stderr } = await runCommand('evaluate', [
      ...['--model', path('numbers/aggregated-model.h5'), '--data', path('yes-no.npz')],
      ...['--loss', 'binary_crossentropy'],
    ]);
    assert.equal(exitCode, 3, stderr);
    assert.match(
      stderr,
      /aggregated-model\.h5: expected a model that ends in a sigmoid, for the loss binary_crossentropy, found /,
    );
  });
});

describe('a run of', () => {
  it('yes or no ends in one sigmoid, and has an area under its curve', async () => {
    const flags = [
      '--data',
      'yes-no.npz',
      '--model',
      'mlp',
      '--loss',
      'binary_crossentropy',
      '--rounds',
      '2',
    ];
    const { exitCode, stdout, stderr } = await run('yes-no', ...flags, '--min-metric', 'auc=0.9');
    assert.equal(exitCode, 0, stderr);
    const { metrics } = JSON.parse(lastLine(stdout));
    assert.ok(metrics.accuracy > 0.8 && metrics.auc > 0.9, JSON.stringify(metrics));
    const { weights } = await readKerasFile(path('yes-no/aggregated-model.h5'));
    assert.deepEqual(weights.at(-1)?.shape, [1]);
    assert.equal((await readManifest(path('yes-no/data/manifest.json'))).classes, 2, 'labels all the same');
  });

  it('what of several holds has a sigmoid for each', async () => {
    const { exitCode, stdout, stderr } = await run('several', '--data', 'several.npz', '--model', 'mlp');
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /multi-label by the loss binary_crossentropy, since the model ends in sigmoid/);
    const { metrics } = JSON.parse(lastLine(stdout));
    assert.ok(metrics.f1 > 0.5, JSON.stringify(metrics));
    const { targets } = await readManifest(path('several/data/manifest.json'));
    assert.deepEqual(targets, { kind: 'multi-hot', size: 3 });
  });
});

describe('a run of sequences', () => {
  const STEPS = 5;
  const count = 200;
  const random = randomStream(9, 'sequences');
  /** The last of a few whole numbers says the class; the largest of all is seen by one client alone. */
  const tokens = Int32Array.from({ length: count * STEPS }, (_, at) =>
    at === 0 ? 11 : random.integer(0, 6),
  );
  const labels = Int32Array.from(
    { length: count },
    (_, row) => (tokens[(row + 1) * STEPS - 1] as number) % 2,
  );
  const write = async (name: string, x: NamedArray['values'], shape: readonly number[]) =>
    writeFile(
      path(name),
      await encodeNpz([
        { name: 'x', shape, values: x },
        { name: 'y', shape: [count], values: labels },
      ]),
    );

  it('of whole numbers embeds them, those too that a client lacks', async () => {
    await write('tokens.npz', tokens, [count, STEPS]);
    const model = ['--data', 'tokens.npz', '--model', 'lstm', '--hidden', '12', '--rounds', '3'];
    const training = ['--optimizer', 'adam', '--learning-rate', '0.03'];
    const { exitCode, stdout, stderr } = await run(
      'tokens',
      ...model,
      ...training,
      '--min-metric',
      'accuracy=0.9',
    );
    assert.equal(exitCode, 0, stderr);
    assert.ok(JSON.parse(lastLine(stdout)).accuracy > 0.9);
    const { inputs } = await readManifest(path('tokens/data/manifest.json'));
    assert.deepEqual(inputs, [{ name: 'x', shape: [STEPS], dtype: 'int32', below: 12 }]);
    const { weights } = await readKerasFile(path('tokens/aggregated-model.h5'));
    assert.deepEqual(weights[0]?.shape, [12, 32]);
  });

  it('of numbers has time along the first axis', async () => {
    await write('series.npz', Float32Array.from(tokens), [count, STEPS, 1]);
    const { exitCode, stderr } = await run(
      'series',
      '--data',
      'series.npz',
      '--model',
      'lstm',
      '--rounds',
      '1',
    );
    assert.equal(exitCode, 0, stderr);
    const { weights } = await readKerasFile(path('series/aggregated-model.h5'));
    assert.deepEqual(weights[0]?.shape, [1, 512]);
  });

  it('is refused for what is none', async () => {
    const cases: readonly (readonly [string, NamedArray['values'], readonly number[], RegExp])[] = [
      ['below.npz', tokens.map((value) => value - 3), [count, STEPS], /whole numbers from 0, .*, found -\d/],
      ['huge.npz', tokens.map((value) => value * 1e8), [count, STEPS], /below 1000000, .*, found \d{9}/],
    ];
    for (const [name, x, shape, message] of cases) {
      await write(name, x, shape);
      const { exitCode, stderr } = await runCommand('init', [
        ...['--data', path(name), '--model', 'lstm', '--out', path('refused.h5')],
      ]);
      assert.equal(exitCode, 3, stderr);
      assert.match(stderr, message);
    }
  });
});
