/** The guards from end to end: one bad update among good ones is found by its client, with the reason in round.json. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, describe, it, test } from 'node:test';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import type { Examples } from '../lib/federation/examples.js';
import { randomStream } from '../lib/federation/random.js';
import type { WeightArray } from '../lib/federation/weights.js';
import { sha256 } from '../lib/formats/atomic-file.js';
import type { KerasFile } from '../lib/formats/keras-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras-hdf5.js';
import { writeRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { encodeDataset } from './numbered-examples.js';
import { eventsOf, finishRun, roundOf, startRun } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';
import { writeTinyDataset } from './tiny-dataset.js';

const directory = await sharedDirectory();
const data = await writeTinyDataset(directory);
const FLAGS = ['--data', data, '--model', 'mlp', '--batch', '20', '--threads', '1', '--quorum', '2'];
const BAD = 1;

test('a client whose training overflows is rejected, and the others go on to learn', async () => {
  const poisoned = join(directory, 'poisoned.npz');
  await writeFile(poisoned, await encodeDataset(barExamples(300, BAD), barExamples(60)));
  const volume = join(directory, 'overflow');
  const flags = ['--data', poisoned, '--partition', 'strided', '--rounds', '2', '--epochs', '5'];
  const line = await finishRun(volume, [...FLAGS, ...flags]);
  for (const round of [1, 2]) {
    const { rejected, reported, aggregate } = await roundOf(volume, round);
    assert.equal(reported.length, 3, 'it did report');
    assert.deepEqual(
      rejected.map((each) => 'client' in each && each.client),
      [BAD],
    );
    assert.match(rejected[0]?.reason ?? '', /^holds (NaN|-?Infinity) in dense/);
    assert.deepEqual([aggregate?.updates, aggregate?.examples], [2, 200]);
  }
  assert.deepEqual(line.participation, { selected: 6, missing: 0, rejected: 2 });
  assert.ok(line.accuracy > 0.6, `accuracy ${line.accuracy}`);
  assert.match(line.stderr, /warning: aggregate: Rejected .*1\.h5: holds (NaN|-?Infinity) in dense/);
});

describe('one bad update among good ones, as a faulty client would report it', () => {
  const volume = join(directory, 'good');
  let good: { readonly model: KerasFile; readonly facts: UpdateFacts; readonly sha256: string };
  before(async () => {
    const line = await finishRun(volume, FLAGS);
    const model = await readKerasFile(volumePaths(volume).round(1).update(BAD));
    assert.ok(model.update);
    good = { model, facts: model.update, sha256: line.sha256 };
  });

  /** The finished run, but for what client BAD reported: this file, whose hash it told. */
  const withUpdate = async (name: string, bad: Partial<KerasFile>): Promise<string> => {
    const copy = join(directory, name);
    await cp(volume, copy, { recursive: true });
    const { update, record } = volumePaths(copy).round(1);
    const hash = await writeKerasFile(update(BAD), { ...good.model, ...bad });
    const told = await roundOf(copy, 1);
    const reported = told.reported.map((each) => (each.client === BAD ? { ...each, sha256: hash } : each));
    await writeRecord(record, { ...told, reported });
    return copy;
  };
  const facts = (change: Partial<UpdateFacts>) => ({ update: { ...good.facts, ...change } });
  const weights = (change: (array: WeightArray) => WeightArray) => ({
    weights: good.model.weights.map(change),
  });
  /** A fifth class in the last layer: other shapes under the same names. */
  const wider = (): Partial<KerasFile> => ({
    modelConfig: JSON.parse(
      JSON.stringify(good.model.modelConfig).replace('"units":4', '"units":5'),
    ) as unknown,
    ...weights((array) => {
      if (!array.name.startsWith('dense_1')) return array;
      const shape = [...array.shape.slice(0, -1), 5];
      return { ...array, shape, values: new Float32Array(shape.reduce((size, extent) => size * extent, 1)) };
    }),
  });
  const withValue = (value: number) =>
    weights((array) => {
      const values = array.values.slice();
      values[values.length - 1] = value;
      return { ...array, values };
    });

  const cases: readonly (readonly [string, RegExp, () => Partial<KerasFile>])[] = [
    ['NaN', /^holds NaN in dense\/kernel:0 at position \d+$/, () => withValue(Number.NaN)],
    ['an infinity', /^holds -Infinity in dense\/kernel:0 at position \d+$/, () => withValue(-Infinity)],
    ['another shape', /^has dense_1\/kernel:0 of shape \[128,5\], not \[128,4\]$/, wider],
    [
      'another dtype',
      /^expected an array of float32 at \/model_weights\/dense\/\S+, found 64-bit elements/,
      // Written as another program might; no type of ours has such weights.
      () =>
        weights((array) => ({
          ...array,
          values: Float64Array.from(array.values) as unknown as Float32Array,
        })),
    ],
    ['another round', /^belongs to round 7, not 1$/, () => facts({ round: 7 })],
    [
      'another parent',
      /^started from another global model \(sha256 c{12}…, not /,
      () => facts({ parent: 'c'.repeat(64) }),
    ],
    ['a client that reported already', /^is a second update of client 0$/, () => facts({ client: 0 })],
    ['zero examples', /^counts 0 examples$/, () => facts({ examples: 0 })],
  ];
  for (const [what, reason, plant] of cases) {
    it(what, async () => {
      const copy = await withUpdate(what, plant());
      const line = await finishRun(copy, FLAGS);
      const { rejected, aggregate, failure, missing } = await roundOf(copy, 1);
      assert.deepEqual(
        rejected.map((each) => 'client' in each && each.client),
        [BAD],
      );
      assert.match(rejected[0]?.reason ?? '', reason);
      assert.deepEqual([aggregate?.updates, missing.length, failure], [2, 0, undefined]);
      assert.equal(aggregate?.sha256, line.sha256);
      assert.notEqual(line.sha256, good.sha256);
      assert.deepEqual(line.participation, { selected: 3, missing: 0, rejected: 1 });
      assert.deepEqual(eventsOf(copy, 'round').at(-1)?.rejected, 1);
    });
  }

  it('is settled: the same command again does nothing', async () => {
    const copy = await withUpdate('settled', withValue(Number.NaN));
    const line = await finishRun(copy, FLAGS);
    const again = await finishRun(copy, FLAGS);
    assert.equal(again.sha256, line.sha256);
    assert.deepEqual(again.participation, line.participation);
    assert.doesNotMatch(again.stderr, / {2}\d+\.\d s$/m);
  });

  it('fails the round where the quorum needs it, with exit code 4 and its name', async () => {
    const copy = await withUpdate('needed', withValue(Number.NaN));
    const { exitCode, stderr } = await startRun(copy, [...FLAGS, '--quorum', '100%']);
    assert.equal(exitCode, 4, stderr);
    assert.match(
      stderr,
      /error: aggregate: .*Expected at least 3 good client updates, found 2 \(1 rejected\)/,
    );
    assert.match(stderr, /Rejected .*1\.h5: holds NaN in dense/);
    const { rejected, failure, aggregate } = await roundOf(copy, 1);
    assert.equal(rejected.length, 1);
    assert.match(failure?.reason ?? '', /found 2 \(1 rejected\)/);
    assert.equal(aggregate, undefined);
    assert.ok(
      readFileSync(join(copy, 'aggregated-model.h5')).equals(
        readFileSync(join(volume, 'aggregated-model.h5')),
      ),
    );
    assert.equal(sha256(readFileSync(join(copy, 'aggregated-model.h5'))), good.sha256);
  });
});

/** Float images `[count, 8, 8]` of a bright bar in one of four rows; every third, from `poisoned` on, is far too bright. */
function barExamples(count: number, poisoned?: number): Examples {
  const random = randomStream(2, 'bars', count);
  const labels = Int32Array.from({ length: count }, (_, image) => Math.floor(image / 3) % 4);
  const images = Float32Array.from({ length: count * 64 }, (_, at) => {
    const image = Math.floor(at / 64);
    const isBar = Math.floor((at % 64) / 8) === 2 * (labels[image] ?? 0);
    const value = random.uniform() * 0.6 + (isBar ? 0.4 : 0);
    return image % 3 === poisoned ? value * 1e38 : value;
  });
  return { shape: [count, 8, 8], images, labels };
}
