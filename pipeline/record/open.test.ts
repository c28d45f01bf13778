/** Which rounds on a volume need no second look: those whose records tell that they are made of what lies there. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { type Manifest, writeManifest } from '../../lib/formats/manifest.js';
import { newRoundRecord, type RoundRecord, writeRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { sampleRecords } from '../../test/sample-records.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { hashOfInputs } from '../aggregate-stage.js';
import { finishedRounds } from './open.js';

const CLIENTS = [0, 1, 2, 3];
const OTHER = sha256('other');
const model = (round: number) => `the model that round ${round} starts from`;

/** A round of these data, as a recorder has left it. */
function recordOf(round: number, { shards, test }: Manifest): RoundRecord {
  const parent = sha256(model(round));
  const reported = CLIENTS.map((client) => ({
    ...{ client, examples: 9, seconds: 1, loss: 0.5, accuracy: 0.8, shard: shards[client]?.sha256 ?? '' },
    sha256: sha256(`the update of client ${client} in round ${round}`),
  }));
  const made = sha256(model(round + 1));
  return {
    ...newRoundRecord({ round, parent, selected: [...CLIENTS] }),
    reported,
    aggregate: {
      inputs: hashOfInputs({ sha256: parent }, reported),
      ...{ updates: 4, examples: 36, sha256: made, seconds: 1 },
    },
    evaluation: { model: made, test: test.sha256, examples: 200, loss: 0.5, accuracy: 0.9, seconds: 1 },
  };
}

test('finished rounds are those of the data, the clients and the updates that the run has now', async (t) => {
  const directory = await temporaryDirectory(t);
  const { run, manifest } = sampleRecords();
  assert.ok(manifest !== undefined);
  const [first, second, ...others] = manifest.shards;
  assert.ok(first !== undefined && second !== undefined);
  const whole = [1, 2, 3].map((round) => recordOf(round, manifest));
  const withSecond = (facts: (record: RoundRecord) => Partial<RoundRecord>) =>
    whole.map((record) => (record.round === 2 ? { ...record, ...facts(record) } : record));
  const finished = async (
    name: string,
    { records = whole, data = manifest }: { readonly records?: typeof whole; readonly data?: Manifest },
  ) => {
    const paths = volumePaths(join(directory, name));
    for (const round of [1, 2, 3, 4]) await writeFileAtomic(paths.round(round).globalModel, model(round));
    for (const record of records) await writeRecord(paths.round(record.round).record, record);
    await writeManifest(paths.manifest, data);
    return { paths, ...(await finishedRounds(paths, run.settings)) };
  };
  const numbers = ({ rounds }: Pick<Awaited<ReturnType<typeof finished>>, 'rounds'>) =>
    rounds.map(({ round }) => round);

  // The second reaches the accuracy that is enough: what a longer run has left is told, too.
  const all = await finished('whole', {});
  assert.deepEqual([all.initial, numbers(all)], [sha256(model(1)), [1, 2, 3]]);
  const shards = [first, { ...second, sha256: OTHER }, ...others];
  const cases: readonly (readonly [string, Parameters<typeof finished>[1], readonly number[]])[] = [
    ['another shard', { data: { ...manifest, shards } }, []],
    ['another test', { data: { ...manifest, test: { ...manifest.test, sha256: OTHER } } }, []],
    ['other clients', { records: withSecond(() => ({ selected: [0, 1, 2] })) }, [1]],
    [
      'other updates',
      {
        records: withSecond(({ aggregate }) => ({ aggregate: aggregate && { ...aggregate, inputs: OTHER } })),
      },
      [1],
    ],
  ];
  for (const [name, options, expected] of cases) {
    const found = await finished(name, options);
    assert.deepEqual([found.initial, numbers(found)], [sha256(model(1)), expected], name);
  }
  await rm(all.paths.manifest);
  const { initial, rounds } = await finishedRounds(all.paths, run.settings);
  assert.deepEqual([initial, rounds], [sha256(model(1)), []], 'nothing tells what the data are');
});
