/** What the pods of single clients see: their own, and what they leave is taken as files alone. */
import assert from 'node:assert/strict';
import { readdirSync, symlinkSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { selectClients } from '../../lib/federation/participation.js';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { writeManifest } from '../../lib/formats/manifest.js';
import { listedBeside } from '../../lib/formats/manifest-facts.js';
import { writeRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { sampleRecords } from '../../test/sample-records.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { clearPlaces, gatherUpdates, layPlaces } from './places.js';

const filesIn = (directory: string): readonly string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((each) => !each.isDirectory())
    .map(({ parentPath, name }) => relative(directory, join(parentPath, name)))
    .sort();

/** A volume with what a split and two rounds leave; half of the four clients are selected, and they remember. */
async function volumeIn(root: string) {
  const paths = volumePaths(root);
  const { run, manifest, rounds } = sampleRecords();
  assert.ok(manifest !== undefined);
  const shards = manifest.shards.map((shard, client) => {
    const { file: _, ...facts } = shard;
    return client === 3 ? shard : { ...shard, heldOut: { ...facts, file: `${client}-test.npz` } };
  });
  const federation = { ...run.settings.federation, fraction: 0.5 };
  const settings = {
    ...run.settings,
    federation,
    strategy: { name: 'scaffold', serverLearningRate: 1 } as const,
  };
  await writeRecord(paths.run, { ...run, settings });
  await writeManifest(paths.manifest, { ...manifest, shards, clientHoldout: 0.2 });
  for (const client of [0, 1, 2, 3]) {
    await writeFileAtomic(paths.shard(client), `shard ${client}`);
    if (client !== 3) await writeFileAtomic(paths.clientTest(client), `held out ${client}`);
  }
  for (const record of rounds) {
    const files = paths.round(record.round);
    await writeRecord(files.record, record);
    await writeFileAtomic(files.globalModel, `model ${record.round}`);
    await writeFileAtomic(files.serverState, `state ${record.round}`);
    for (const { client } of record.reported) await writeFileAtomic(files.update(client), `update ${client}`);
  }
  const selected = (round: number) => selectClients(federation, { seed: settings.seed, round });
  return { paths, selected, rounds };
}

test('the place of a client holds its own of the data, of the models and of its past, and nobody else’s', async (t) => {
  const { paths, selected, rounds } = await volumeIn(join(await temporaryDirectory(t), 'volume'));
  const [first, third] = [selected(1), selected(3)];
  assert.equal(await layPlaces(paths, 1), 2);
  assert.equal(await layPlaces(paths, 1), 2, 'it may be done again');
  for (const [at, client] of first.entries()) {
    const held = client === 3 ? [] : [`data/${client}-test.npz`];
    const expected = [...held, `data/${client}.npz`, 'data/manifest.json', 'rounds/0001/global.h5'].sort();
    assert.deepEqual(filesIn(paths.round(1).place(at)), expected);
    const own = volumePaths(paths.round(1).place(at));
    assert.equal(await readFile(own.shard(client), 'utf8'), `shard ${client}`);
    assert.deepEqual(
      (await listedBeside(own.shard(client)))?.shards.map(({ file }) => file),
      [`${client}.npz`],
    );
    assert.deepEqual(readdirSync(own.round(1).updates), [], 'where the one for its update is mounted');
  }
  assert.equal(await layPlaces(paths, 3), 2);
  assert.deepEqual(readdirSync(paths.places), ['0003']);
  for (const [at, client] of third.entries()) {
    const seen = filesIn(paths.round(3).place(at)).filter((file) => file.startsWith('rounds'));
    const last = rounds
      .slice(0, 2)
      .findLast(({ reported }) => reported.some((each) => each.client === client));
    const kept = last === undefined ? [] : [`rounds/000${last.round}/updates/${client}.h5`];
    assert.deepEqual(seen, [...kept, 'rounds/0003/global.h5', 'rounds/0003/server-state.h5']);
  }
  assert.equal(await layPlaces(paths, 4), 0, 'the run has no such round');
  await clearPlaces(paths, [paths.round(3)]);
  assert.ok(!readdirSync(paths.data).includes('places'));
});

test('an update is taken from its client where it is a file, once', async (t) => {
  const { paths, selected } = await volumeIn(join(await temporaryDirectory(t), 'volume'));
  const clients = selected(1);
  const files = paths.round(1);
  const left = filesIn(files.updates);
  await layPlaces(paths, 1);
  const [one, other] = clients as readonly [number, number];
  await writeFileAtomic(join(files.ownUpdates(0), `${one}.h5`), 'trained');
  await writeFileAtomic(join(files.ownUpdates(0), `${other}.h5`), 'of another');
  await writeFileAtomic(join(files.ownUpdates(0), '.tmp-half'), 'half of one');
  symlinkSync(paths.shard(one), join(files.ownUpdates(1), `${other}.h5`));
  const before = await readFile(files.update(other), 'utf8').catch(() => undefined);
  for (let times = 0; times < 2; times++) {
    await gatherUpdates(paths, { round: 1, selected: clients });
    assert.deepEqual(filesIn(files.updates), [...new Set([...left, `${one}.h5`])].sort());
    assert.equal(await readFile(files.update(one), 'utf8'), 'trained');
    assert.equal(await readFile(files.update(other), 'utf8').catch(() => undefined), before);
  }
  await layPlaces(paths, 1);
  await mkdir(join(files.ownUpdates(1), 'deep'));
  await clearPlaces(paths, [files]);
  assert.ok(readdirSync(files.updates, { withFileTypes: true }).every((each) => each.isFile()));
  assert.ok(!readdirSync(paths.data).includes('places'));
});
