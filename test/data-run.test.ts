/** A run on a table, from end to end: the same model as on the npz that an import makes of it, and names that the server finds. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { importData } from '../datasets/import.js';
import { randomStream } from '../lib/core/random.js';
import { readKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { readManifest } from '../lib/formats/manifest.js';
import { silentReporter } from '../lib/observability/events.js';
import { toldData } from '../server/models/data-facts.js';
import { findLabels } from '../server/models/model-records.js';
import { runCommand } from './program-host.js';
import { lastLine } from './programs.js';
import { temporaryDirectory } from './temporary-directory.js';

test('a CSV trains as the npz of it does, by writer, and its classes keep their names', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  const random = randomStream(3, 'flowers');
  const rows = Array.from({ length: 80 }, (_, row) => {
    const [width, height] = [random.normal(), random.normal()];
    const soil = ['clay', 'loam', 'sand'][row % 3];
    const garden = row % 2 === 0 ? 'north' : 'south';
    return [width, height, soil, garden, width > height ? 'rose' : 'iris'].join(',');
  });
  await writeFile(at('flowers.csv'), `width,height,soil,garden,species\n${rows.join('\n')}\n`);
  const source = at('flowers.csv');
  await importData({ source, client: 'garden', npz: at('flowers.npz') }, { reporter: silentReporter });
  const by = ['--partition', 'by-key', '--key', 'garden'];
  const work = [
    '--model',
    'mlp',
    '--hidden',
    '4',
    '--rounds',
    '1',
    '--epochs',
    '1',
    '--threads',
    '1',
    '--json',
  ];
  const run = async (data: string, volume: string, ...more: readonly string[]) => {
    const argv = ['--data', at(data), '--volume', at(volume), ...by, ...work, ...more];
    const { exitCode, stdout, stderr } = await runCommand('run', argv, { cwd: directory });
    assert.equal(exitCode, 0, stderr);
    return JSON.parse(lastLine(stdout)) as { readonly sha256: string };
  };
  const table = await run('flowers.csv', 'table');
  assert.match(table.sha256, /^[0-9a-f]{64}$/);
  // Names are what an npz lacks, and it is normalised where that is asked for.
  await run('flowers.npz', 'arrays', '--normalize', 'on');
  const model = async (volume: string) => {
    const { names, ...others } = await readKerasFile(at(`${volume}/aggregated-model.h5`));
    return { names, others };
  };
  const [ofTable, ofArrays] = [await model('table'), await model('arrays')];
  assert.deepEqual(ofTable.others, ofArrays.others);
  assert.deepEqual(ofTable.names, {
    classNames: ['iris', 'rose'],
    target: { column: 'species' },
    inputs: [
      { name: 'numbers', columns: ['width', 'height'] },
      { name: 'soil', columns: ['soil'], categories: ['clay', 'loam', 'sand'] },
    ],
  });
  assert.equal(ofArrays.names, undefined);
  const { classNames, inputs, shards, target } = await readManifest(at('table/data/manifest.json'));
  assert.deepEqual([classNames, target], [['iris', 'rose'], { column: 'species' }]);
  assert.deepEqual(inputs?.[0]?.columns, ['width', 'height']);
  assert.deepEqual(inputs?.[1]?.categories, ['clay', 'loam', 'sand']);
  assert.deepEqual(
    shards.map(({ owner }) => owner),
    ['north', 'south'],
  );
  const modelPath = at('table/aggregated-model.h5');
  const labels = async (model: string, classes: number) =>
    findLabels({
      modelPath: model,
      labelsPath: undefined,
      counts: [classes],
      told: await toldData(model, undefined),
    });
  assert.deepEqual([await labels(modelPath, 2), await labels(modelPath, 3)], [['iris', 'rose'], undefined]);
  assert.equal(await labels(at('arrays/aggregated-model.h5'), 2), undefined);
  // The same command resumes: the table is known by its hash.
  assert.equal((await run('flowers.csv', 'table')).sha256, table.sha256);
  await writeFile(source, `width,height,soil,garden,species\n${rows.join('\n')}\n1,,clay,north,rose\n`);
  const refused = await runCommand('run', ['--data', source, '--volume', at('none'), ...by, ...work], {
    cwd: directory,
  });
  assert.equal(refused.exitCode, 3);
  assert.match(refused.stderr, /flowers\.csv line 82: expected a number in column height, found nothing/);
  assert.ok(!existsSync(at('none')), 'nothing is half-written');
});
