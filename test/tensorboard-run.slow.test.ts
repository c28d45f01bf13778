/** `run --tensorboard` and `fedbatch tensorboard`: event files that say what the records say, each step once. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { cp, rm, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { before, test } from 'node:test';
import sharp from 'sharp';
import { takeLock } from '../lib/formats/files/lock-file.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { volumePaths } from '../lib/formats/volume.js';
import { weightHistograms } from '../observe/tensorboard/model-values.js';
import { writeTinyDataset } from './datasets.js';
import { type ReadEvent, readEventFile, scalarsOf, sessionOfHparams } from './event-files.js';
import { runCommand } from './program-host.js';
import { finishRun, roundOf } from './runs.js';
import { sharedDirectory, temporaryDirectory } from './temporary-directory.js';

const SETTINGS = ['--model', 'mlp', '--batch', '20', '--epochs', '2', '--jobs', '1', '--threads', '1'];
const ROUNDS = 3;

let data = '';
/** A finished run of three rounds. */
let volume = '';

before(async () => {
  const directory = sharedDirectory();
  data = await writeTinyDataset(directory);
  volume = join(directory, 'run');
  await finishRun(volume, ['--data', data, '--rounds', `${ROUNDS}`, ...SETTINGS, '--tensorboard']);
});

const logsOf = (root: string) => ({
  global: readEventFile(volumePaths(root).eventFile('global')),
  clients: [0, 1, 2].map((client) => readEventFile(volumePaths(root).eventFile(client))),
});

const steps = (events: readonly ReadEvent[]) => events.map(({ step = 0 }) => step);
const stepsOf = (events: readonly ReadEvent[], tag: string) => scalarsOf(events, tag).map(([step]) => step);

test('the logs say what the records say, round by round', async () => {
  const { global, clients } = logsOf(volume);
  // The session ends in a record of its own, after the last round.
  assert.deepEqual(steps(global), [0, 1, 2, 3, 3]);
  const rounds = await Promise.all([1, 2, 3].map((round) => roundOf(volume, round)));
  const float = Math.fround;
  const expected: Readonly<Record<string, readonly (number | undefined | null)[]>> = {
    'test/loss': rounds.map(({ evaluation }) => evaluation?.loss),
    'test/accuracy': rounds.map(({ evaluation }) => evaluation?.accuracy),
    'test/macro_f1': rounds.map(({ evaluation }) => evaluation?.metrics?.macro_f1),
    'training/learning_rate': rounds.map(({ learningRate }) => learningRate),
    'participation/selected': [3, 3, 3],
    'participation/reported': [3, 3, 3],
    'participation/missing': [0, 0, 0],
    'seconds/train': rounds.map(({ seconds }) => seconds?.train),
    'training/loss': rounds.map(({ reported }) => {
      const examples = reported.reduce((sum, client) => sum + client.examples, 0);
      return reported.reduce((sum, client) => sum + (client.loss as number) * client.examples, 0) / examples;
    }),
  };
  for (const [tag, values] of Object.entries(expected)) {
    if (values.every((value) => value === undefined)) continue;
    assert.deepEqual(
      scalarsOf(global, tag),
      values.map((value, at) => [at + 1, float(value as number)]),
      tag,
    );
  }
  for (const [client, events] of clients.entries()) {
    // Two epochs a round.
    assert.deepEqual(stepsOf(events, 'epochs/loss'), [1, 2, 3, 4, 5, 6]);
    const own = rounds.map(({ reported }) => reported.find((each) => each.client === client));
    for (const name of ['loss', 'accuracy', 'examples', 'seconds'] as const) {
      assert.deepEqual(
        scalarsOf(events, `training/${name}`),
        own.map((each, at) => [at + 1, float(each?.[name] as number)]),
      );
    }
  }
});

test('the weights of every model are there as histograms, that of step 0 among them', async () => {
  const { global } = logsOf(volume);
  for (const step of [0, 1, 2, 3]) {
    const { weights } = await readKerasFile(volumePaths(volume).round(step + 1).globalModel);
    const values = global.find((event) => (event.step ?? 0) === step)?.summary?.value ?? [];
    const histograms = values.filter(({ histo }) => histo !== undefined);
    assert.deepEqual(
      histograms.map(({ tag }) => tag),
      weights.map(({ name }) => `weights/${name.replace(':0', '')}`),
    );
    for (const [at, { values: numbers }] of weights.entries()) {
      const { num, min, max, sum, bucket } = histograms[at]?.histo ?? assert.fail();
      assert.deepEqual([num, min, max], [numbers.length, Math.min(...numbers), Math.max(...numbers)]);
      assert.ok(Math.abs(sum - numbers.reduce((total, each) => total + each, 0)) < 1e-6 * numbers.length);
      assert.equal(
        bucket.reduce((total, each) => total + each, 0),
        num,
      );
    }
  }
});

test('the confusion matrix of each round is a picture, and so are the mistakes where there are any', async () => {
  const { global } = logsOf(volume);
  const picturesOf = (tag: string) =>
    global.flatMap(({ step, summary }) =>
      (summary?.value ?? []).filter((value) => value.tag === tag).map(({ image }) => ({ step, image })),
    );
  const [confusions, mistakes] = [picturesOf('test/confusion'), picturesOf('test/mistakes')];
  assert.equal(confusions.length, ROUNDS);
  const imperfect = scalarsOf(global, 'test/accuracy').filter(([, accuracy]) => accuracy < 1);
  assert.ok(imperfect.length > 0);
  assert.deepEqual(
    mistakes.map(({ step }) => step),
    imperfect.map(([step]) => step),
  );
  for (const { image } of [...confusions, ...mistakes]) {
    const { width, height, encoded_image_string: png } = image ?? assert.fail();
    const found = await sharp(png).metadata();
    assert.deepEqual([found.width, found.height, found.format], [width, height, 'png']);
  }
});

test('the hyper-parameters are those of the run, and its session ends well', () => {
  const { hparams, status } = sessionOfHparams(logsOf(volume).global);
  assert.equal(status, 1);
  const { 'training.batch': batch, 'model.name': model, 'federation.clients': clients, seed } = hparams;
  assert.deepEqual({ batch, model, clients, seed }, { batch: 20, model: 'mlp', clients: 3, seed: 0 });
  assert.ok(!Object.keys(hparams).some((name) => name.endsWith('sha256')));
});

test('a run whose rounds are raised adds the new ones alone', async (t) => {
  const copy = join(await temporaryDirectory(t), 'run');
  await cp(volume, copy, { recursive: true });
  const before = logsOf(copy);
  await finishRun(copy, ['--data', data, '--rounds', `${ROUNDS + 1}`, ...SETTINGS, '--tensorboard']);
  const { global, clients } = logsOf(copy);
  assert.deepEqual(global.slice(0, before.global.length), before.global);
  assert.deepEqual(steps(global), [0, 1, 2, 3, 3, 4]);
  for (const events of clients) assert.deepEqual(stepsOf(events, 'training/loss'), [1, 2, 3, 4]);
  assert.equal(sessionOfHparams(global).status, 1);
});

test('the records alone make the same logs, also of a volume whose logs were cut', async (t) => {
  const copy = join(await temporaryDirectory(t), 'run');
  await cp(volume, copy, { recursive: true });
  const paths = volumePaths(copy);
  const whole = logsOf(copy);
  // As a kill leaves them: the global model's last rounds are lost, one client's within a record, another one's file wholly.
  const second = readFileSync(paths.eventFile('global')).length / 2;
  await truncate(paths.eventFile('global'), Math.floor(second));
  await truncate(paths.eventFile(0), readFileSync(paths.eventFile(0)).length - 3);
  await rm(paths.eventFile(1));
  const { exitCode, stdout, stderr } = await runCommand('tensorboard', ['--in', dirname(copy)]);
  assert.equal(exitCode, 0, stderr);
  assert.equal(stdout, `tensorboard --logdir ${paths.logs}`);
  const mended = logsOf(copy);
  // Only the last test is still on record: pictures of rounds before it are not made again.
  const withoutPictures = (events: readonly ReadEvent[]) =>
    events.map(({ summary, ...event }) => ({
      ...event,
      values: summary?.value.filter(({ image }) => image === undefined),
    }));
  assert.deepEqual(withoutPictures(mended.global), withoutPictures(whole.global));
  assert.deepEqual(mended.clients[0], whole.clients[0]);
  assert.deepEqual(mended.global.at(-2), whole.global.at(-2));
  const again = await runCommand('tensorboard', [copy]);
  assert.match(again.stderr, /0 rounds were added/);
  assert.deepEqual(logsOf(copy), mended);
});

test('a run that does not ask for it has no logs, and what it writes is the same', async (t) => {
  const copy = join(await temporaryDirectory(t), 'run');
  await cp(volume, copy, { recursive: true });
  const paths = volumePaths(copy);
  const fewer = ['--data', data, '--rounds', '1', ...SETTINGS, '--fresh'];
  const written = async (flags: readonly string[]) => {
    await finishRun(copy, [...fewer, ...flags]);
    const events = readFileSync(paths.metrics, 'utf8').trimEnd().split('\n');
    return {
      files: readdirSync(copy),
      model: readFileSync(paths.aggregatedModel).toString('base64'),
      events: events.map((line) => Object.keys(JSON.parse(line) as object)),
    };
  };
  // It starts over: the logs of the run before go with the rest of it.
  const plain = await written([]);
  assert.ok(!plain.files.includes('logs'));
  const logged = await written(['--tensorboard']);
  assert.deepEqual(steps(logsOf(copy).global), [0, 1, 1]);
  assert.deepEqual({ ...logged, files: logged.files.filter((name) => name !== 'logs') }, plain);
});

test('a model that the memory of a recorder may not hold has no histograms', async (t) => {
  const path = join(await temporaryDirectory(t), 'global.h5');
  await writeFile(path, '');
  await truncate(path, 32e6 + 1);
  assert.deepEqual(await weightHistograms(path), []);
});

test('what is no run, has begun only, or is at work, says so', async (t) => {
  const directory = await temporaryDirectory(t);
  const none = await runCommand('tensorboard', [directory]);
  assert.equal(none.exitCode, 2);
  assert.match(none.stderr, /is no run/);
  const begun = join(directory, 'begun');
  await cp(volumePaths(volume).run, volumePaths(begun).run);
  const { exitCode, stderr } = await runCommand('tensorboard', [begun]);
  assert.equal(exitCode, 0);
  assert.match(stderr, /0 rounds were added/);
  const lock = await takeLock(join(begun, '.lock'));
  const used = await runCommand('tensorboard', [begun]);
  lock.release();
  assert.equal(used.exitCode, 2);
  assert.match(used.stderr, /begun is in use by another run \(process \d+, /);
});
