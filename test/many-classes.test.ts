/** 65,536 classes: what is written and shown grows with what occurs, and not with the number of classes, let alone its square. */
import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { execa } from 'execa';
import sharp from 'sharp';
import { randomStream } from '../lib/core/random.js';
import { MAX_CLASSES } from '../lib/federation/examples.js';
import { labelSkew } from '../lib/federation/partition/label-skew.js';
import { confusionRecord, confusionsIn } from '../lib/formats/confusions.js';
import { writeShard } from '../lib/formats/data/shard-file.js';
import { readManifest } from '../lib/formats/manifest.js';
import { labelCountsOf } from '../lib/formats/manifest-clients.js';
import { writeRecord } from '../lib/formats/run-record.js';
import { volumePaths } from '../lib/formats/volume.js';
import { toText } from '../lib/html/html.js';
import { silentReporter } from '../lib/observability/events.js';
import { readRunRecords } from '../report/records.js';
import { renderReport } from '../report/report.js';
import { createWorkerPredictor } from '../server/models/worker-predictor.js';
import { classify } from '../server/pictures/classify.js';
import { writeDenseModel } from '../server/testing/prototype-model.js';
import { renderModel } from '../server/views/page.js';
import { splitDataset } from '../splitter/split.js';
import { encodeDataset, numberedExamples, withParts } from './datasets.js';
import { lastLine, programPath } from './programs.js';
import { sampleRecords } from './sample-records.js';
import { partitionSettings } from './settings.js';
import { sharedDirectory } from './temporary-directory.js';

const directory = sharedDirectory();
const paths = volumePaths(directory);
const LAST = MAX_CLASSES - 1;
/** Less than a number for each pair of classes takes, by a factor of some hundred. */
const HEAP_MB = 256;

const labelled = (labels: readonly number[]) =>
  withParts(numberedExamples(labels.length), { labels: Int32Array.from(labels) });

before(async () => {
  // Whatever it is shown, it says the last class.
  const bias = new Float32Array(MAX_CLASSES);
  bias[LAST] = 20;
  await writeDenseModel(paths.aggregatedModel, {
    inputShape: [2, 2, 1],
    kernel: new Float32Array(4 * MAX_CLASSES),
    bias,
  });
  await writeShard(paths.test, labelled([7, LAST, LAST - 1, 7, LAST, LAST]));
});

test('the accuracy test lists what occurs, within little memory', async () => {
  const args = [programPath('evaluator/cli'), '--model', paths.aggregatedModel];
  const { stdout } = await execa(process.execPath, [`--max-old-space-size=${HEAP_MB}`, ...args]);
  assert.match(lastLine(stdout), /^6\/6 - .* - acc: 0\.5000$/);
  const text = await readFile(paths.accuracy, 'utf8');
  const { perClass, confusions, confusion, correct } = JSON.parse(text);
  assert.deepEqual(confusions, [
    [7, LAST, 2],
    [LAST - 1, LAST, 1],
    [LAST, LAST, 3],
  ]);
  assert.deepEqual(perClass, [
    { class: 7, examples: 2, accuracy: 0 },
    { class: LAST - 1, examples: 1, accuracy: 0 },
    { class: LAST, examples: 3, accuracy: 1 },
  ]);
  assert.deepEqual([confusion, correct], [undefined, 3]);
  assert.match(text, /^ {4}\[7, 65535, 2\],$/m);
  assert.ok(text.length < 2000, `${text.length}`);
});

test('few classes keep the matrix that files have always had, and both forms read as the same', () => {
  const entries = [
    [0, 0, 5],
    [0, 99, 1],
    [99, 99, 2],
  ] as const;
  const { confusion, confusions } = confusionRecord(entries, 100);
  assert.deepEqual([confusion?.length, confusion?.[0]?.length, confusions], [100, 100, undefined]);
  assert.deepEqual([confusion?.[0]?.[99], confusion?.[99]?.[0]], [1, 0]);
  assert.deepEqual(confusionsIn({ confusion }), entries);
  assert.deepEqual(confusionRecord(entries, 101), { confusions: entries });
  assert.deepEqual(confusionsIn({ confusions: entries }), entries);
  for (const bad of [
    {},
    { confusion: 1 },
    { confusion: [1] },
    { confusion: [['1']] },
    { confusions: [[1, 2]] },
  ])
    assert.equal(confusionsIn(bad), undefined);
});

test('a split to 1,000 clients: the manifest tells the labels that each has', async () => {
  const labels = Array.from({ length: 3000 }, (_, index) => (index * 7919) % MAX_CLASSES);
  const data = join(directory, 'dataset.npz');
  await writeFile(data, await encodeDataset(labelled(labels), labelled([LAST])));
  const savedir = join(directory, 'split');
  const { manifest } = await splitDataset({
    ...{ data, savedir, clients: 1000, seed: 0, testFraction: 0.1, virtual: true },
    partition: partitionSettings('iid'),
    reporter: silentReporter,
  });
  assert.equal(manifest.classes, MAX_CLASSES);
  const found = (manifest.virtual?.clients ?? []).flatMap((client) => [...labelCountsOf(client)]);
  const sum = found.reduce((all, [, count]) => all + count, 0);
  assert.deepEqual([sum, new Set(found.map(([label]) => label)).size], [3000, new Set(labels).size]);
  assert.deepEqual(manifest.test.labelCounts, [[LAST, 1]]);
  const written = join(savedir, 'manifest.json');
  assert.deepEqual(await readManifest(written), manifest);
  assert.ok((await stat(written)).size < 300_000);
  const page = renderReport({ ...sampleRecords(), manifest });
  assert.match(page, /Shards of 1,000 clients: 3 labels and 3 examples each/);
});

test('so many labels on few hands', () => {
  const labels = Int32Array.from({ length: 2 * MAX_CLASSES }, (_, index) => index % MAX_CLASSES);
  const random = randomStream(0, 'test');
  const shards = labelSkew(labels, { clients: 2, labelsPerClient: 50_000, random });
  for (const shard of shards) assert.equal(new Set([...shard].map((at) => labels[at])).size, 50_000);
  assert.equal(shards[0]?.length, 2 * MAX_CLASSES - (shards[1]?.length ?? 0));
});

test('the report names the worst confusions, and stays a page', async () => {
  const { run } = sampleRecords();
  await writeRecord(paths.run, run);
  const page = renderReport(await readRunRecords(paths));
  assert.match(page, /<li>7 read as 65535: 2 times<\/li><li>65534 read as 65535: 1 time<\/li>/);
  assert.doesNotMatch(page, /<table class="matrix/);
  assert.ok(page.length < 1_000_000, `${page.length}`);
});

test('the server reads a picture, and its page names the worst confusions', async (t) => {
  const predictor = await createWorkerPredictor({ modelPath: paths.aggregatedModel, threads: 1 });
  t.after(() => predictor.close());
  const ink = { create: { width: 6, height: 20, channels: 3, background: 'black' } } as const;
  const picture = sharp({ create: { width: 40, height: 40, channels: 3, background: 'white' } })
    .composite([{ input: ink, left: 17, top: 10 }])
    .png();
  const { answer } = await classify(await picture.toBuffer(), predictor);
  assert.deepEqual([answer.prediction, answer.probabilities.length], [LAST, MAX_CLASSES]);
  assert.match(toText(renderModel(predictor.card())), /7 for 65535 \(2 ×\), 65534 for 65535 \(1 ×\)/);
});
