/** Tests of `dataset import`: what it tells, what it writes, and that it writes nothing where anything is wrong. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { openSource } from '../lib/formats/data/dataset-source.js';
import { importResultSchema } from '../lib/formats/sources/understanding.js';
import { silentReporter } from '../lib/observability/events.js';
import { loadWhole } from '../test/datasets.js';
import { requireValid } from '../test/results.js';
import { partitionSettings } from '../test/settings.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { importData, importText } from './import.js';

const context = { reporter: silentReporter };
const FLOWERS = 'width,height,garden,species\n1,2.5,north,iris\n3,4,south,rose\n5,6,north,iris\n';

test('without a file to write it tells what it understood, in words and as JSON, and writes nothing', async (t) => {
  const directory = await temporaryDirectory(t);
  const source = join(directory, 'flowers.csv');
  await writeFile(source, FLOWERS);
  const result = await importData({ source, client: 'garden' }, context);
  assert.deepEqual(importResultSchema.parse(JSON.parse(JSON.stringify(result))), result);
  const text = importText(result, source).replaceAll(directory, '.');
  assert.equal(
    text,
    `./flowers.csv: a CSV file, 3 examples
  width    number  1 … 5, mean 3
  height   number  2.5 … 6, mean 4.16667
  garden   text    2 different
  species  text    2 different
target: species, taken as labels
client: garden
classes: iris, rose
3 examples: float32 inputs [2]; targets: labels
Nothing was written. To train: npx fedbatch run --data ./flowers.csv. To write an npz: npx fedbatch dataset import ./flowers.csv --out FILE.npz`,
  );
  assert.deepEqual(await readdir(directory), ['flowers.csv']);
});

test('the name of each class is one line, whatever is in it', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  await writeFile(at('a.csv'), 'a,y\n1.5,"up\r\nright"\n2.5,down\n');
  await importData({ source: at('a.csv'), npz: at('a.npz') }, context);
  assert.equal(await readFile(at('a.labels.txt'), 'utf8'), 'down\nup right');
});

test('npz, description and names are written; npz and description read as the table does, clients too', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  await writeFile(at('flowers.csv'), FLOWERS);
  await importData({ source: at('flowers.csv'), client: 'garden', npz: at('flowers.npz') }, context);
  assert.equal(await readFile(at('flowers.labels.txt'), 'utf8'), 'iris\nrose');
  const yaml = await readFile(at('flowers.yaml'), 'utf8');
  requireValid('data-description', parse(yaml));
  assert.match(
    yaml,
    /^# What fedbatch understood of flowers\.csv\. .*\n\nkind: table\nsource: flowers\.csv\n/,
  );
  const key = partitionSettings('by-key', { key: 'garden' });
  const load = async (name: string) => loadWhole(await openSource(at(name), key));
  const table = await load('flowers.csv');
  assert.deepEqual(await load('flowers.yaml'), table);
  const { facts: _, ...arrays } = table;
  const { owners = [], names } = arrays.ownership ?? {};
  assert.deepEqual(
    [[...owners], names],
    [
      [0, 1, 0],
      ['north', 'south'],
    ],
  );
  const npz = await load('flowers.npz');
  assert.deepEqual([npz.train, npz.ownership?.owners], [arrays.train, owners]);
  // A description is a source, too, and is not written over.
  await importData({ source: at('flowers.yaml'), npz: at('again.npz') }, context);
  assert.deepEqual(await readFile(at('again.npz')), await readFile(at('flowers.npz')));
  assert.equal(await readFile(at('flowers.yaml'), 'utf8'), yaml);
});

test('where anything is wrong nothing is written', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string) => join(directory, name);
  await writeFile(at('holes.csv'), FLOWERS.replace('2.5', ''));
  await writeFile(at('flowers.csv'), FLOWERS);
  await writeFile(at('taken.yaml'), 'mine');
  await writeFile(at('no.bin'), Buffer.of(0, 1, 2));
  await writeFile(at('a.npz'), '');
  const before = (await readdir(directory)).sort();
  const cases: readonly (readonly [Parameters<typeof importData>[0], RegExp])[] = [
    [
      { source: at('holes.csv'), npz: at('x.npz') },
      /^DataError: .*holes\.csv line 2: expected a number in column height/,
    ],
    [
      { source: at('flowers.csv'), npz: at('x.npz'), yaml: at('taken.yaml') },
      /^UsageError: .*taken\.yaml is there already/,
    ],
    [{ source: at('flowers.csv'), npz: at('taken.npz') }, /^UsageError: .*taken\.yaml is there already/],
    [
      { source: at('flowers.csv'), npz: at('x.npz'), target: 'colour' },
      /^DataError: .*expected a column colour/,
    ],
    [{ source: at('none.csv'), npz: at('x.npz') }, /^DataError: .*found no such file/],
    [{ source: at('no.bin'), npz: at('x.npz') }, /^DataError: .*found something else/],
    [{ source: at('a.npz'), npz: at('x.npz') }, /^UsageError: .*is an npz already: --data/],
  ];
  for (const [request, expected] of cases) {
    await assert.rejects(importData(request, context), (error: Error) => {
      assert.match(`${error.name}: ${error.message}`, expected);
      return true;
    });
    assert.deepEqual((await readdir(directory)).sort(), before);
  }
  // What is to be settled can be written down to be edited.
  const settled = await importData({ source: at('holes.csv'), yaml: at('data.yaml') }, context);
  assert.match(settled.problems.join(), /column height lacks 1 values/);
  await writeFile(at('data.yaml'), `${await readFile(at('data.yaml'), 'utf8')}missing: { height: 2.5 }\n`);
  const { train } = await loadWhole(await openSource(at('data.yaml'), partitionSettings('iid')));
  assert.deepEqual([...train.inputs[0].values], [1, 2.5, 3, 4, 5, 6]);
  // A mean is that of clients, of whom an import knows nothing.
  const text = (await readFile(at('data.yaml'), 'utf8')).replace('height: 2.5', 'height: mean');
  await writeFile(at('mean.yaml'), text);
  const request = { source: at('mean.yaml'), npz: at('x.npz') };
  await assert.rejects(
    importData(request, context),
    /mean\.yaml: missing: mean is the mean over the clients/,
  );
  assert.ok(!(await readdir(directory)).includes('x.npz'));
});
