/**
 * More of two of everything: pipelines that lose their volume, trainers that are late, aggregators with a state or a key.
 * Nothing of what is finished changes.
 */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { volumePaths } from '../lib/formats/volume.js';
import { contents, goOn, halted, startHalted, wholeRun } from './halted.js';
import { trainALittle } from './piped.js';
import { haltedAt } from './processes.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { endRun, finishRun, type ResultLine, roundOf, startRun, temporaryFiles, waitFor } from './runs.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const { settings: SETTINGS, whole, expected } = await wholeRun(directory);

for (const [when, path, before] of [
  ['with a record ready to appear', '/0001/round\\.json$', 3],
  ['before the file that is to appear is there', '/model/\\.tmp-0-model\\.h5', 1],
] as const) {
  test(`a pipeline that is halted ${when} keeps its volume; once its lock is removed it writes nothing more`, async (t) => {
    const volume = join(directory, `halted-${before}`);
    const { lock } = volumePaths(volume);
    const first = startRun(volume, SETTINGS, haltedAt({ program: 'dist/cli.js', path, before }));
    await halted(t, first);
    // As it would look from another host.
    const holder = JSON.parse(readFileSync(lock, 'utf8')) as object;
    writeFileSync(lock, JSON.stringify({ ...holder, host: 'elsewhere' }));
    const refused = await endRun(volume, SETTINGS);
    assert.equal(refused.exitCode, 2, refused.stderr);
    const advice = `process ${first.pid} on host elsewhere, since .*if that process is no more, delete .*lock and run`;
    assert.match(refused.stderr, new RegExp(advice));
    rmSync(lock);
    assert.equal((await finishRun(volume, SETTINGS)).sha256, expected.sha256);

    const finished = contents(volume);
    goOn(first.pid);
    const { exitCode, stderr } = await first;
    assert.equal(exitCode, 2, stderr);
    assert.match(stderr, /error: .* is no longer held by this run: its lock .*lock was removed/);
    assert.deepEqual(contents(volume), finished);
  });
}

test('a late trainer of other bytes: an update that was reported is put back, and a round that is over stays as it is', async () => {
  const volume = join(directory, 'late');
  const paths = volumePaths(volume).round(1);
  const honest = join(directory, 'honest');
  const { sha256: model } = await finishRun(honest, SETTINGS, trainALittle);
  const late = (client: number) =>
    trainALittle(
      {
        ...{ id: 0, client },
        command: [
          ...['train', '--data', volumePaths(volume).shard(client), '--init', paths.globalModel],
          ...['--out', paths.update(client), '--round', '1'],
        ],
      },
      1,
    );
  const hasReported = () =>
    /"client": 0,/.test(readFileSync(paths.record, 'utf8').split('"reported"')[1] ?? '');
  const open = await finishRun(volume, SETTINGS, async (task) => {
    if (task.client === 1) {
      await waitFor(hasReported);
      await late(0);
    }
    return trainALittle(task);
  });
  assert.match(
    open.stderr,
    /round 1: somebody has written over the update of client 0 since it was reported/,
  );
  assert.equal(open.sha256, model);
  const closed = await roundOf(volume, 1);
  assert.deepEqual([closed.rejected, closed.aggregate?.updates], [[], 2]);
  assert.deepEqual(contents(join(volume, 'model')), contents(join(honest, 'model')));

  await late(0);
  // Whoever trains it anew comes to other bytes, too.
  const again = await finishRun(volume, SETTINGS, (task) => trainALittle(task, 2));
  assert.match(
    again.stderr,
    /client 0 \(round 1\): trained again, it came to other bytes.*stays what it was made from/,
  );
  assert.equal(again.sha256, model);
  assert.deepEqual(await roundOf(volume, 1), closed);
  const healed = await finishRun(volume, SETTINGS, trainALittle);
  assert.equal(healed.sha256, model);
  assert.deepEqual(
    contents(paths.root).get('/updates/0.h5'),
    contents(honest).get('/rounds/0001/updates/0.h5'),
  );
});

for (const { what, path, flags } of [
  { what: 'a strategy with a state', path: 'global\\.h5$', flags: ['--strategy', 'fedadam'] },
  {
    what: 'noise from a secret key',
    path: 'noise-key\\.json$',
    flags: [
      ...['--dp-clip', '1', '--dp-noise', '1', '--dp-noise-source', 'system'],
      ...['--dp-participants', '2', '--dp-population', '2'],
    ],
  },
]) {
  test(`two aggregators with ${what} make the same model`, async (t) => {
    const { manifest, round } = volumePaths(whole);
    const { updates, globalModel, record } = round(1);
    const out = join(directory, path.replaceAll(/\W/g, ''));
    const args = [
      ...['--dir', updates, '--manifest', manifest, '--reported', record, '--parent', globalModel],
      ...['--round', '1', '--out', join(out, 'global.h5'), ...flags],
      ...(what.includes('state') ? ['--state-out', join(out, 'server-state.h5')] : []),
    ];
    const first = startHalted('aggregator/cli', path, args);
    await halted(t, first);
    const second = await runCommand('aggregate', args);
    assert.equal(second.exitCode, 0, second.stderr);
    const made = contents(out);
    assert.equal(made.size, 2);
    goOn(first.pid);
    const { exitCode, stdout, stderr } = await first;
    assert.equal(exitCode, 0, stderr);
    const sha256Of = (output: string) => (JSON.parse(lastLine(output)) as ResultLine).sha256;
    assert.equal(sha256Of(stdout), sha256Of(second.stdout));
    const last = contents(out);
    assert.deepEqual(last, made);
    assert.deepEqual(temporaryFiles(out), []);
    const key = last.has('/noise-key.json') && readFileSync(join(out, 'noise-key.json'), 'utf8');
    if (key) assert.equal((JSON.parse(key) as { readonly draws: readonly object[] }).draws.length, 1);
  });
}
