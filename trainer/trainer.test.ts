/** The trainer and the initial model as programs: what they write, what they refuse, how they stop. */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { execa } from 'execa';
import { labelledImages } from '../lib/federation/examples.js';
import { clientSide, strategies } from '../lib/federation/strategies/strategy-settings.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import type { EpochRecord } from '../lib/formats/stage-results.js';
import { partsOf } from '../test/datasets.js';
import { fixturePath } from '../test/keras-fixtures.js';
import { runCommand } from '../test/program-host.js';
import { lastLine, programPath, quarterExamples } from '../test/programs.js';
import { sharedDirectory } from '../test/temporary-directory.js';

/** Of the images and classes of the fixtures of Keras. */
const smallExamples = labelledImages(
  [6, 8, 8, 1],
  Uint8Array.from({ length: 6 * 64 }, (_, at) => (at * 37) % 251),
  Int32Array.from([0, 1, 2, 0, 1, 2]),
);

describe('fedbatch train', () => {
  let directory: string;
  let shard: string;
  const path = (name: string) => join(directory, name);
  const train = (...args: readonly string[]) =>
    runCommand('train', ['--data', shard, '--epochs', '2', '--batch', '30', '--threads', '1', ...args]);

  before(async () => {
    directory = sharedDirectory();
    shard = path('0.npz');
    await writeShard(shard, quarterExamples(200, 1));
    const init = await runCommand('init', ['--data', shard, '--out', path('global.h5'), '--model', 'mlp']);
    assert.equal(init.exitCode, 0, init.stderr);
    assert.equal(JSON.parse(lastLine(init.stdout)).sha256, sha256(await readFile(path('global.h5'))));
  });

  it('takes the name of any strategy, and its help names those whose clients do more than training', async () => {
    const [help, wrong] = await Promise.all([
      runCommand('train', ['--help']),
      train('--out', path('none.h5'), '--strategy', 'fedsomething'),
    ]);
    const [, told] = /^ +--strategy <name> .*training:\s+(.*)$/m.exec(help.stdout) ?? [];
    const names = strategies.map(({ name }) => name);
    assert.equal(told, names.filter((name) => clientSide(name) !== undefined).join(', '));
    assert.equal(wrong.exitCode, 2);
    assert.match(
      wrong.stderr,
      new RegExp(`--strategy: expected one of ${names.join(', ')}, found "fedsomething"`),
    );
  });

  it('writes an update with its facts, and prints the result as JSON', async () => {
    const { exitCode, stdout, stderr } = await train(
      '--init',
      path('global.h5'),
      '--client',
      '3',
      '--round',
      '2',
      '--out',
      path('u.h5'),
    );
    assert.equal(exitCode, 0, stderr);
    const { epochs, ...result } = JSON.parse(lastLine(stdout));
    const bytes = await readFile(path('u.h5'));
    assert.deepEqual(
      { ...result, seconds: 0, loss: 0, accuracy: 0 },
      {
        client: 3,
        round: 2,
        examples: 200,
        seconds: 0,
        loss: 0,
        accuracy: 0,
        engine: 'onnx/cpu',
        sha256: sha256(bytes),
      },
    );
    assert.ok(result.accuracy > 0.4 && result.loss < 2, stdout);
    assert.deepEqual(
      epochs.map(({ epoch, examples }: EpochRecord) => [epoch, examples]),
      [
        [1, 200],
        [2, 200],
      ],
    );
    assert.deepEqual([epochs[1].loss, epochs[1].accuracy], [result.loss, result.accuracy]);
    const { update, weights } = await readKerasFile(path('u.h5'));
    const parent = sha256(await readFile(path('global.h5')));
    assert.deepEqual(update, { client: 3, round: 2, examples: 200, parent });
    const initial = await readKerasFile(path('global.h5'));
    assert.notDeepEqual(weights[0]?.values, initial.weights[0]?.values);
  });

  it('starts from the same initial model with and without --init', async () => {
    const given = await train('--init', path('global.h5'), '--out', path('a.h5'));
    const own = await train('--model', 'mlp', '--out', path('b.h5'));
    assert.equal(own.exitCode, 0, own.stderr);
    assert.equal(JSON.parse(given.stdout).sha256, JSON.parse(own.stdout).sha256);
  });

  it('refuses another --init than the one that is known by its hash', async () => {
    const out = ['--out', path('known.h5')];
    const known = sha256(await readFile(path('global.h5')));
    const given = ['--init', path('global.h5'), ...out, '--init-sha256'];
    const other = await train(...given, 'a'.repeat(64));
    assert.equal(other.exitCode, 3, other.stderr);
    assert.match(
      other.stderr,
      new RegExp(
        `global\\.h5: expected a Keras model .* \\(sha256 a{12}…\\), found another one \\(${known.slice(0, 12)}…\\)`,
      ),
    );
    assert.ok(!existsSync(path('known.h5')));
    for (const wrong of [
      [...given, 'abc'],
      [...out, '--init-sha256', known],
    ])
      assert.equal((await train(...wrong)).exitCode, 2);
    assert.equal((await train(...given, known)).exitCode, 0);
  });

  it('trains a compiled model with its own optimizer, and says so', async () => {
    const init = fixturePath('keras3-batchnorm-sgd.h5');
    await writeShard(path('small.npz'), smallExamples);
    const run = async (...args: readonly string[]) => {
      const given = ['--data', path('small.npz'), '--init', init, '--out', path('compiled.h5'), ...args];
      const { exitCode, stdout, stderr } = await train(...given);
      assert.equal(exitCode, 0, stderr);
      return { stderr, sha256: JSON.parse(lastLine(stdout)).sha256 };
    };
    const own = await run();
    assert.match(own.stderr, /optimizer sgd with learning rate 0.01 and momentum 0, as .*\.h5 was compiled/);
    const flags = await run('--optimizer', 'sgd', '--learning-rate', '0.01', '--momentum', '0');
    assert.equal(own.sha256, flags.sha256);
    const other = await run('--optimizer', 'sgd', '--learning-rate', '0.01', '--momentum', '0.5');
    assert.match(other.stderr, /optimizer sgd with .* takes the place of the one that .* was compiled with/);
    assert.notEqual(own.sha256, other.sha256);
  });

  it('repeats bit for bit, and draws otherwise for another seed, client or round', async () => {
    const hash = async (...args: readonly string[]) =>
      JSON.parse(
        (await train('--model', 'mlp', '--init', path('global.h5'), '--out', path('c.h5'), ...args)).stdout,
      ).sha256;
    const first = await hash();
    assert.equal(await hash(), first);
    const others = await Promise.all([hash('--seed', '1')]);
    others.push(await hash('--client', '1'), await hash('--round', '2'));
    assert.equal(new Set([first, ...others]).size, 4);
  });

  it('takes the number of the client from the name of its shard', async () => {
    const client = async (data: string, ...args: readonly string[]) =>
      JSON.parse((await train('--data', data, '--model', 'mlp', '--out', path('k.h5'), ...args)).stdout)
        .client;
    await writeShard(path('7.npz'), quarterExamples(8, 1));
    await writeShard(path('x7.npz'), quarterExamples(8, 1));
    assert.deepEqual([await client(path('7.npz')), await client(path('x7.npz'))], [7, 0]);
    assert.equal(await client(path('7.npz'), '--client', '2'), 2);
  });

  it('goes on from the architecture of the --init file, with another optimizer', async () => {
    const { exitCode, stdout, stderr } = await train(
      '--init',
      path('global.h5'),
      '--optimizer',
      'sgd',
      '--learning_rate',
      '0.05',
      '--out',
      path('d.h5'),
    );
    assert.equal(exitCode, 0, stderr);
    assert.ok(JSON.parse(stdout).accuracy > 0.4, stdout);
  });

  it('stops on SIGTERM with 130 and leaves nothing', async () => {
    const child = execa(
      process.execPath,
      [
        programPath('trainer/cli'),
        '--data',
        shard,
        '--epochs',
        '100000',
        '--out',
        path('never.h5'),
        '--log-format',
        'json',
      ],
      { reject: false },
    );
    // Listening goes on after the first sign of progress: a full pipe would hold the program up.
    await new Promise<void>((resolve) => {
      child.stderr.on('data', (chunk: Buffer) => chunk.includes('"event":"progress"') && resolve());
    });
    child.kill('SIGTERM');
    assert.equal((await child).exitCode, 130);
    assert.ok((await readdir(directory)).every((name) => !name.includes('never')));
  });

  const refused: readonly (readonly [string, readonly string[], number, RegExp])[] = [
    ['a missing shard', ['--data', 'nowhere.npz'], 3, /nowhere\.npz: expected a shard .*found no such file/],
    ['a missing model', ['--init', 'nowhere.h5'], 3, /nowhere\.h5: expected .*found no such file/],
    [
      'zero epochs',
      ['--epochs', '0'],
      2,
      /--epochs <E>' argument '0' is invalid. Expected a whole number of at least 1/,
    ],
    [
      'epochs and steps at once',
      ['--local-steps', '3'],
      2,
      /--epochs 2 and --local-steps 3 contradict each other: give one of them/,
    ],
    ['half a batch', ['--batch', '0.5'], 2, /Expected a whole number/],
    ['an unknown optimizer', ['--optimizer', 'newton'], 2, /Allowed choices are adam, sgd/],
    [
      'more threads than any machine has',
      ['--threads', '100000'],
      2,
      /Expected a whole number from 1 to 1024/,
    ],
    ['absurdly many classes', ['--classes', '100000000'], 2, /Expected a whole number from 2 to 65536/],
    ['an unknown flag', ['--epochz', '1'], 2, /unknown option '--epochz'/],
    [
      'too few classes',
      ['--classes', '2'],
      3,
      /0\.npz: expected labels from 0 to 1, the classes of the model, found label 3/,
    ],
  ];
  for (const [what, args, code, message] of refused) {
    it(`refuses ${what} in one sentence`, async () => {
      const { exitCode, stderr, stdout } = await train('--out', path('refused.h5'), ...args);
      assert.equal(exitCode, code, stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\n\s+at /);
      assert.equal(stdout, '');
      assert.ok(!(await readdir(directory)).includes('refused.h5'));
    });
  }

  it('refuses images of another size than the model takes, and a file that is no model', async () => {
    const { images, labels } = partsOf(quarterExamples(4, 1));
    await writeShard(path('flat.npz'), labelledImages([4, 8, 18], images, labels));
    const other = await train('--data', path('flat.npz'), '--init', path('global.h5'), '--out', path('x.h5'));
    assert.equal(other.exitCode, 3);
    assert.match(
      other.stderr,
      /flat\.npz: expected images of shape \[12,12,1\] as the model takes them, found images of shape \[8,18,1\]/,
    );
    await writeFile(path('text.h5'), 'this is no model');
    const text = await train('--init', path('text.h5'), '--out', path('x.h5'));
    assert.equal(text.exitCode, 3);
    assert.match(text.stderr, /text\.h5: expected/);
  });
});
