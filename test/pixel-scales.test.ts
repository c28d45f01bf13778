/** The scale of pixels goes with the data and the model from the split to the test, and nothing else changes. */
import assert from 'node:assert/strict';
import { copyFile, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { type Examples, takeExamples } from '../lib/federation/examples.js';
import { readShard } from '../lib/formats/data/dataset.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readManifest } from '../lib/formats/manifest.js';
import { volumePaths } from '../lib/formats/volume.js';
import { partsOf, withParts, writeTinyDataset } from './datasets.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { endRun, finishRun } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

describe('data of a scale of their own', () => {
  let directory: string;
  let tiny: Examples;
  let volume: string;
  let flags: readonly string[];
  const path = (name: string) => join(directory, name);
  const paths = () => volumePaths(volume);
  const stored = (store: (pixel: number) => number): Examples =>
    withParts(tiny, {
      images: Float32Array.from(partsOf(tiny).images, (pixel) => store(Math.min(255, pixel * 1.1) / 255)),
    });
  const evaluate = async (model: string, data: string) => {
    const savefile = path('accuracy.json');
    const argv = ['--model', model, '--data', data, '--out', savefile];
    const { exitCode, stderr } = await runCommand('evaluate', argv);
    assert.equal(exitCode, 0, stderr);
    return {
      stderr,
      report: JSON.parse(await readFile(savefile, 'utf8')) as { confusion: unknown; accuracy: number },
    };
  };

  before(async () => {
    directory = sharedDirectory();
    tiny = await readShard(await writeTinyDataset(directory));
    await writeShard(
      path('signed.npz'),
      stored((pixel) => pixel * 2 - 1),
    );
    volume = path('volume');
    flags = [
      '--data',
      path('signed.npz'),
      '--clients',
      '2',
      '--rounds',
      '2',
      '--model',
      'mlp',
      '--epochs',
      '1',
    ];
  });

  it('is told once by the run, and by manifest and every model file', async () => {
    const { stderr } = await finishRun(volume, flags);
    assert.equal(
      [...stderr.matchAll(/split: pixels from -1 to 1: taken as black and white/g)].length,
      1,
      stderr,
    );
    const { image } = await readManifest(paths().manifest);
    assert.deepEqual(image, { shape: [8, 8], dtype: 'float32', scale: '-1..1' });
    const round = paths().round(2);
    for (const file of [
      paths().round(1).globalModel,
      round.globalModel,
      round.update(0),
      join(volume, 'aggregated-model.h5'),
      join(volume, 'best-model.h5'),
    ]) {
      assert.equal((await readKerasFile(file)).scale, '-1..1', file);
    }
    const other = await endRun(volume, [...flags, '--scale', '0..1']);
    assert.equal(other.exitCode, 2, other.stderr);
    assert.match(other.stderr, /--scale not given, now 0\.\.1/);
  });

  it('is converted with a note where data of another are tested or trained on', async () => {
    const model = join(volume, 'aggregated-model.h5');
    const own = await evaluate(model, path('signed.npz'));
    assert.doesNotMatch(own.stderr, /pixels/);
    for (const [name, from, examples] of [
      ['unit.npz', '0 to 1', stored((pixel) => pixel)],
      ['sixteen.npz', '0 to 16', stored((pixel) => pixel * 16)],
    ] as const) {
      await writeShard(path(name), examples);
      const { stderr, report } = await evaluate(model, path(name));
      assert.deepEqual(report.confusion, own.report.confusion, name);
      assert.match(
        stderr,
        new RegExp(`${name}: pixels from ${from}, converted to those of the model, from -1 to 1$`, 'm'),
      );
    }
    const argv = ['--data', path('unit.npz'), '--init', model, '--epochs', '1', '--out', path('u.h5')];
    const converted = await runCommand('train', argv);
    assert.match(converted.stderr, /unit\.npz: pixels from 0 to 1, converted to those of the model/);
    const own1 = await runCommand('train', argv.with(1, path('signed.npz')));
    assert.ok(Math.abs(lossOf(converted.stdout) - lossOf(own1.stdout)) < 1e-4);
  });

  it('a model that says nothing gets the numbers as they are', async () => {
    const { scale: _scale, ...file } = await readKerasFile(join(volume, 'aggregated-model.h5'));
    await writeKerasFile(path('silent.h5'), file);
    const { stderr, report } = await evaluate(path('silent.h5'), path('signed.npz'));
    assert.match(
      stderr,
      /pixels from -1 to 1; the model says nothing of its scale, so they are taken as they are$/m,
    );
    const own = await evaluate(join(volume, 'aggregated-model.h5'), path('signed.npz'));
    assert.deepEqual(report.confusion, own.report.confusion);
  });

  it('an update of another scale does not count', async () => {
    const round = paths().round(2);
    const strange = path('strange.h5');
    await copyFile(round.update(0), path('0.h5'));
    await writeKerasFile(strange, { ...(await readKerasFile(round.update(1))), scale: '0..16' });
    const { exitCode, stderr, stdout } = await runCommand('aggregate', [
      ...['--parent', round.globalModel, '--round', '2', '--out', path('next.h5')],
      path('0.h5'),
      strange,
    ]);
    assert.equal(exitCode, 0, stderr);
    assert.equal(JSON.parse(lastLine(stdout)).updates, 1);
    assert.match(stderr, /strange\.h5.* was trained on pixels of the scale 0\.\.16, not -1\.\.1/);
    assert.equal((await readKerasFile(path('next.h5'))).scale, '-1..1');
  });

  it('is a setting where it cannot be found: a warning names the range, and --scale answers it', async () => {
    let at = 0;
    await writeShard(
      path('odd.npz'),
      stored((pixel) => pixel * 3 - 1 + (at++ === 7 ? 40 : 0)),
    );
    const split = async (...more: readonly string[]) => {
      const argv = ['--data', path('odd.npz'), '--clients', '2', '--out', path('odd'), ...more];
      const { exitCode, stderr, stdout } = await runCommand('split', argv);
      return { exitCode, stderr, skipped: exitCode === 0 && JSON.parse(lastLine(stdout)).skipped };
    };
    const unknown = await split();
    assert.match(
      unknown.stderr,
      /odd\.npz: the pixels are numbers from -1 to \d+\.\d+, and which .* --scale -1\.\.\d/,
    );
    assert.equal((await split('--scale=auto')).skipped, true);
    const given = await split('--scale', '-1..2');
    assert.equal(given.skipped, false);
    assert.doesNotMatch(given.stderr, /pixels/);
    const { image } = await readManifest(join(path('odd'), 'manifest.json'));
    assert.deepEqual([image?.scale, image?.scaleIsGiven], ['-1..2', true]);
    assert.equal((await split('--scale=-1..2')).skipped, true);
    const init = ['--data', join(path('odd'), '0.npz'), '--model', 'mlp', '--out', path('odd.h5')];
    assert.equal((await runCommand('init', init)).exitCode, 0);
    assert.equal((await readKerasFile(path('odd.h5'))).scale, '-1..2');
    const refused = await split('--scale', '0..1,0..1,0..1');
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /is for images of 3 channels, and \S+odd\.npz has images of 1\.$/);
  });

  it('a shard alone tells its own, of 8 bits in the numbers that the model gets', async () => {
    const few = takeExamples(tiny, [0, 1, 2, 3, 4, 5, 6, 7]);
    const images = Uint8Array.from(partsOf(few).images, (pixel) =>
      Math.round((Math.min(255, (pixel as number) * 1.1) / 255) * 16),
    );
    await writeShard(path('alone/levels.npz'), withParts(few, { images }));
    const argv = ['--data', path('alone/levels.npz'), '--model', 'mlp', '--out', path('levels.h5')];
    assert.equal((await runCommand('init', argv)).exitCode, 0);
    assert.equal((await readKerasFile(path('levels.h5'))).scale, '0..0.0627451');
  });
});

const lossOf = (stdout: string): number => (JSON.parse(lastLine(stdout)) as { loss: number }).loss;
