/** The guards from end to end: bad updates among good ones are found by their clients, with the reason in round.json. */

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { cp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { before, describe, it, test } from 'node:test';
import { randomStream } from '../lib/core/random.js';
import type { WeightArray } from '../lib/core/weights.js';
import type { UpdateFacts } from '../lib/federation/client-update.js';
import type { Examples } from '../lib/federation/examples.js';
import { labelledImages } from '../lib/federation/examples.js';
import { sha256 } from '../lib/formats/files/read-file.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { readKerasFile, writeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { writeRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { encodeDataset, writeTinyDataset } from './datasets.js';
import { trainALittle } from './piped.js';
import type { Task } from './program-host.js';
import { endRun, eventsOf, finishRun, roundOf } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
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

/** Spoils an update, given as it was. */
type Plant = (good: KerasFile) => Partial<KerasFile>;

const weights =
  (change: (array: WeightArray) => WeightArray): Plant =>
  (good) => ({ weights: good.weights.map(change) });
const withValue = (value: number) =>
  weights((array) => {
    const values = array.values.slice();
    values[values.length - 1] = value;
    return { ...array, values };
  });
const facts =
  (change: Partial<UpdateFacts>): Plant =>
  ({ update }) => ({ update: { ...(update as UpdateFacts), ...change } });

/** A fifth class in the last layer: other shapes under the same names. */
const wider: Plant = (good) => ({
  modelConfig: JSON.parse(JSON.stringify(good.modelConfig).replace('"units":4', '"units":5')) as unknown,
  ...weights((array) => {
    if (!array.name.startsWith('dense_1')) return array;
    const shape = [...array.shape.slice(0, -1), 5];
    return { ...array, shape, values: new Float32Array(shape.reduce((size, extent) => size * extent, 1)) };
  })(good),
});

/** What clients 1, 2, … report, each something else that is invalid, and the reason that is given. */
const CASES: readonly (readonly [string, RegExp, Plant])[] = [
  ['NaN', /^holds NaN in dense\/kernel:0 at position \d+$/, withValue(Number.NaN)],
  ['an infinity', /^holds -Infinity in dense\/kernel:0 at position \d+$/, withValue(-Infinity)],
  ['another shape', /^has dense_1\/kernel:0 of shape \[128,5\], not \[128,4\]$/, wider],
  [
    'another dtype',
    /^expected an array of float32 at \/model_weights\/dense\/\S+, found 64-bit elements/,
    // Written as another program might; no type of ours has such weights.
    weights((array) => ({
      ...array,
      values: Float64Array.from(array.values) as unknown as Float32Array,
    })),
  ],
  ['another round', /^belongs to round 7, not 1$/, facts({ round: 7 })],
  [
    'another parent',
    /^started from another global model \(sha256 c{12}…, not /,
    facts({ parent: 'c'.repeat(64) }),
  ],
  ['another client', /^tells client 0, and client 7 reported it$/, facts({ client: 0 })],
  ['zero examples', /^counts 0 examples$/, facts({ examples: 0 })],
  [
    'more examples than it has',
    /^counts 1000000000 examples, not the \d+ that its client reported$/,
    facts({ examples: 1e9 }),
  ],
  [
    'values that overflow',
    /^has weights of norm 2\.00e\+30, whose square float32 cannot hold$/,
    withValue(1e30),
  ],
];

describe('bad updates among good ones, as faulty clients would report them', () => {
  const volume = join(directory, 'good');
  const { update } = volumePaths(volume).round(1);
  const flags = [...FLAGS, '--clients', `${CASES.length + 2}`];
  let good: string;
  before(async () => {
    const line = await finishRun(volume, flags, trainALittle);
    assert.deepEqual(line.participation, { selected: CASES.length + 2, missing: 0, rejected: 0 });
    good = line.sha256;
  });

  /** The finished run, but for what some clients reported: these files, whose hashes they told. */
  const withUpdates = async (name: string, bad: ReadonlyMap<number, Plant>): Promise<string> => {
    const copy = join(directory, name);
    await cp(volume, copy, { recursive: true });
    const told = await roundOf(volume, 1);
    const reported = await Promise.all(
      told.reported.map(async (each) => {
        const plant = bad.get(each.client);
        if (plant === undefined) return each;
        const file = await readKerasFile(update(each.client));
        const path = volumePaths(copy).round(1).update(each.client);
        return { ...each, sha256: await writeKerasFile(path, { ...file, ...plant(file) }) };
      }),
    );
    await writeRecord(volumePaths(copy).round(1).record, { ...told, reported });
    return copy;
  };

  it('are left out, each with its client and its reason, and the same command again does nothing', async () => {
    const copy = await withUpdates('bad', new Map(CASES.map(([, , plant], at) => [at + 1, plant])));
    const line = await finishRun(copy, flags);
    const { rejected, aggregate, failure, missing } = await roundOf(copy, 1);
    const named = rejected.filter((each) => 'client' in each);
    const reasonOf = new Map(named.map(({ client, reason }) => [client, reason]));
    assert.deepEqual([rejected.length, reasonOf.size], [CASES.length, CASES.length]);
    for (const [at, [what, reason]] of CASES.entries()) {
      assert.match(reasonOf.get(at + 1) ?? '', reason, what);
    }
    assert.deepEqual([aggregate?.updates, missing.length, failure], [2, 0, undefined]);
    assert.equal(aggregate?.sha256, line.sha256);
    assert.notEqual(line.sha256, good);
    const participation = { selected: CASES.length + 2, missing: 0, rejected: CASES.length };
    assert.deepEqual(line.participation, participation);
    assert.deepEqual(eventsOf(copy, 'round').at(-1)?.rejected, CASES.length);

    const again = await finishRun(copy, flags);
    assert.equal(again.sha256, line.sha256);
    assert.deepEqual(again.participation, participation);
    assert.doesNotMatch(again.stderr, / {2}\d+\.\d s$/m);
  });

  it('fail the round where the quorum needs one of them, with exit code 4 and its name', async () => {
    const copy = await withUpdates('needed', new Map([[BAD, withValue(Number.NaN)]]));
    const { exitCode, stderr } = await endRun(copy, [...flags, '--quorum', '100%']);
    assert.equal(exitCode, 4, stderr);
    const found = `Expected at least ${CASES.length + 2} good client updates, found ${CASES.length + 1} \\(1 rejected\\)`;
    assert.match(stderr, new RegExp(`error: aggregate: .*${found}`));
    assert.match(stderr, /Rejected .*1\.h5: holds NaN in dense/);
    const { rejected, failure, aggregate } = await roundOf(copy, 1);
    assert.equal(rejected.length, 1);
    assert.match(failure?.reason ?? '', new RegExp(`found ${CASES.length + 1} \\(1 rejected\\)`));
    assert.equal(aggregate, undefined);
    assert.ok(
      readFileSync(join(copy, 'aggregated-model.h5')).equals(
        readFileSync(join(volume, 'aggregated-model.h5')),
      ),
    );
    assert.equal(sha256(readFileSync(join(copy, 'aggregated-model.h5'))), good);
  });
});

describe('files that nobody reported, and reports that nobody may make', () => {
  const flags = [...FLAGS, '--clients', '4', '--quorum', '100%'];
  const updateOf = ({ command }: Task) => command[command.indexOf('--out') + 1] as string;
  let expected: string;
  before(async () => {
    expected = (await finishRun(join(directory, 'honest'), flags, trainALittle)).sha256;
  });

  it('are no part of the model, whatever they claim, and are told', async () => {
    const volume = join(directory, 'planted');
    const line = await finishRun(volume, flags, async (task) => {
      const ending = await trainALittle(task);
      if (task.client !== 0) return ending;
      // From the right model, of a client that nobody knows; and of client 0 itself, sorted before its own.
      const own = await readKerasFile(updateOf(task));
      const plant = async (name: string, change: Partial<UpdateFacts>) =>
        writeKerasFile(join(dirname(updateOf(task)), name), {
          ...own,
          ...withValue(1e6)(own),
          update: { ...(own.update as UpdateFacts), ...change },
        });
      await plant('77.h5', { client: 77, examples: 1e9 });
      await plant('+evil.h5', { client: 0 });
      await plant('99999999999999999999.h5', { client: 1 });
      return ending;
    });
    assert.equal(line.sha256, expected);
    assert.deepEqual(line.participation, { selected: 4, missing: 0, rejected: 0 });
    const { rejected, aggregate } = await roundOf(volume, 1);
    assert.equal(aggregate?.updates, 4);
    const reason = 'is not the update of a client that reported in this round';
    assert.deepEqual(rejected, [
      { file: '+evil.h5', reason },
      { file: '77.h5', reason },
      { file: '99999999999999999999.h5', reason },
    ]);
  });

  it('an update that explodes and one of too many examples end the round; trained anew, the same command goes on', async () => {
    const volume = join(directory, 'exploding');
    const first = await endRun(volume, flags, async (task) => {
      const ending = (await trainALittle(task)) as { readonly stdout: readonly [string] };
      const own = await readKerasFile(updateOf(task));
      const report = async (change: Partial<KerasFile>, more: object) => {
        const sha256 = await writeKerasFile(updateOf(task), { ...own, ...change });
        const told = { ...(JSON.parse(ending.stdout[0]) as object), ...more, sha256 };
        return { ...ending, stdout: [JSON.stringify(told)] };
      };
      if (task.client === 1) return report(withValue(1e30)(own), {});
      if (task.client === 3) return report(facts({ examples: 1e9 })(own), { examples: 1e9 });
      return ending;
    });
    assert.equal(first.exitCode, 4, first.stderr);
    assert.match(first.stderr, /Expected at least 4 good client updates, found 2 \(2 rejected\)/);
    const { rejected, aggregate } = await roundOf(volume, 1);
    assert.equal(aggregate, undefined);
    const reasons = new Map(rejected.map((each) => ['client' in each && each.client, each.reason]));
    assert.match(reasons.get(1) ?? '', /^has weights of norm 2\.00e\+30, whose square float32 cannot hold$/);
    assert.match(reasons.get(3) ?? '', /^client 3 has 81 examples, not 1000000000, in .*manifest\.json$/);
    assert.equal(existsSync(volumePaths(volume).round(2).globalModel), false);

    const trained: number[] = [];
    const again = await finishRun(volume, flags, (task) => {
      trained.push(task.client);
      return trainALittle(task);
    });
    assert.deepEqual(trained, [1, 3]);
    assert.equal(again.sha256, expected);
    assert.deepEqual((await roundOf(volume, 1)).rejected, []);
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
  return labelledImages([count, 8, 8], images, labels);
}
