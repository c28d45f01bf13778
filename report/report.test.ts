/** Tests of the report: whole, self-contained, escaped, true to the records, and made at the end of every run. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { volumePaths } from '../lib/formats/volume.js';
import { toText } from '../lib/html/html.js';
import { writeTinyDataset } from '../test/datasets.js';
import { runCommand } from '../test/program-host.js';
import { lastLine } from '../test/programs.js';
import { sampleRecords } from '../test/sample-records.js';
import { temporaryDirectory } from '../test/temporary-directory.js';
import { labelColumns } from './charts/label-columns.js';
import { PAGE_SCRIPT } from './page-script.js';
import { renderReport } from './report.js';
import { settingRows } from './setting-rows.js';

/** The page without its script, which is the same for all records. */
const render = (records: Parameters<typeof renderReport>[0]) =>
  renderReport(records).replace(toText(PAGE_SCRIPT), '');

test('the page loads nothing, runs its own script alone, and escapes what the records say', () => {
  const whole = renderReport(sampleRecords());
  // Of all records the same script: nothing of them is in it.
  assert.equal(whole.split('<script').length, 2);
  assert.ok(whole.includes(toText(PAGE_SCRIPT)));
  // Pictures are in the page itself.
  const picture = /<img alt="[^"]*" src="data:image\/png;base64,[\w+/=]+">/g;
  assert.equal([...whole.matchAll(picture)].length, 2);
  const page = render(sampleRecords()).replaceAll(picture, '');
  const tags = [...page.matchAll(/<[a-z][^>]*>/g)].join('\n');
  assert.doesNotMatch(tags, /<(script|link|iframe|img|object)|\s(href|src|on[a-z]+)=/);
  assert.doesNotMatch(page, /@import|url\(/);
  assert.match(page, /715 × 2 &lt;img src=x onerror=alert\(1\)&gt; in dense/);
  assert.ok(!page.includes('undefined') && !page.includes('NaN') && !page.includes('Infinity'));
  // Every element that is opened is closed again.
  const opened = [...page.matchAll(/<([a-z][a-z0-9]*)\b[^>]*?(\/?)>/g)].filter(([, , empty]) => empty === '');
  const closed = [...page.matchAll(/<\/([a-z][a-z0-9]*)>/g)];
  assert.equal(opened.filter(([, name]) => name !== 'meta').length, closed.length);
});

test('updates unlike the others of their round are told by name, with how unlike they are', () => {
  const records = sampleRecords();
  assert.doesNotMatch(render(records), /unlike the others/i);
  const [first, ...others] = records.rounds;
  if (first === undefined) return assert.fail('no round');
  const [one] = first.reported;
  if (one === undefined) return assert.fail('nobody reported');
  const reported = [1, 1.1, 9, 0.9, 1.05, 0.95].map((norm, client) => ({
    ...one,
    client,
    norm,
    cosine: 0.5,
  }));
  const page = render({ ...records, rounds: [{ ...first, reported }, ...others] });
  assert.match(
    page,
    /<h3>Updates unlike the others of their round<\/h3>\s*<ul><li>in 1 of 3 rounds, last in round 1: client 2 \(norm 8\.78 times the median, robust z-score \d[\d.]*\)<\/li><\/ul>/,
  );
  assert.match(page, />unlike the others<\/th>/);
});

test('the page tells what the records tell', () => {
  const page = render(sampleRecords());
  assert.match(page, /<dt>accuracy<\/dt><dd>81\.00 %<small>of 200 test examples/);
  assert.match(page, /<dt>best<\/dt><dd>90\.00 %<small>in round 2</);
  assert.match(page, /Of 12 selections in 3 rounds, 9 reported, 1 were rejected, 2 are missing\./);
  assert.match(
    page,
    /<strong>2 ×<\/strong> missing: did not report within 30 s<small>client 1 in round 1, client 1 in round 2</,
  );
  assert.match(page, /dirichlet, alpha 0\.5, min examples 1, seed 7/);
  assert.match(page, /<li>1 read as 0: 30 times<\/li><li>0 read as 1: 8 times<\/li>/);
  assert.match(page, /title="30 of 100 with label 1 taken for 0"/);
  assert.match(page, /<title>client 2, label 1: 100\.0 %<\/title>/);
  assert.match(page, /<th scope="row">train<\/th>.*>12\.5 s<\/td>/);
  assert.match(
    page,
    /<th scope="row">2<\/th><td data-v="0\.9">90\.00 %<\/td><td data-v="0\.4">\+40\.00<\/td><td data-v="0\.4">0\.4000<\/td><td data-v="0\.5">0\.5000<\/td>/,
  );
  assert.match(page, /not finite/);
  assert.match(page, /The target of 85\.00 % was reached in round 2\./);
  assert.match(
    page,
    /<th scope="row">2<\/th><td>4<\/td><td>4<\/td><td>3<\/td><td>0<\/td><td>1<\/td><td>27<\/td><td>0\.0500<\/td><td>1\.50<\/td><td>4\.5<\/td>/,
  );
  assert.match(page, /<dt>privacy spent<\/dt><dd>ε 1\.50<small>at δ 1e-5</);
});

test('the page tells of the inputs what the manifest tells, and nothing where that tells nothing', () => {
  const records = sampleRecords();
  assert.doesNotMatch(render(records), /<h2>The inputs/);
  const { image: _, ...manifest } = records.manifest as NonNullable<typeof records.manifest>;
  const statistics = {
    values: 37,
    mean: [41.25, 5e4],
    variance: [4, 1e8],
    least: [18, 1e4],
    most: [90, 1e5],
    histograms: [{ edges: [18, 42, 66, 90], counts: [6, 1030, 12] }, null],
  };
  const inputs = [
    { name: 'x', shape: [2], dtype: 'float32' as const, columns: ['age', '<income>'], statistics },
    { name: 'city', shape: [1], dtype: 'int32' as const, categories: ['Basel', 'Bern'], counts: [2, 5, 30] },
  ];
  const page = render({ ...records, manifest: { ...manifest, inputs } });
  assert.match(page, /<th scope="row">age<\/th><td>41\.25<\/td><td>2<\/td><td>18<\/td><td>90<\/td>/);
  assert.match(page, /&lt;income&gt;<\/th><td>50000<\/td><td>10000<\/td>.*<td><\/td><\/tr>/);
  assert.match(page, /aria-label="1,048 values, most of them, 1,030, from 42 to 66"/);
  const bars = [
    ...page.matchAll(/<rect class="bar-fill" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="([\d.]+)"\/>/g),
  ];
  assert.deepEqual(
    bars.map((each) => each.slice(1).map(Number)),
    [
      [0, 33.33, 0.12],
      [33.33, 33.33, 20],
      [66.67, 33.33, 0.23],
    ],
  );
  const { classes: _classes, ...measured } = manifest;
  const priced = { ...measured, inputs, target: { column: 'price' } };
  const targets = {
    kind: 'numbers' as const,
    size: 1,
    statistics: { values: 37, mean: [7], variance: [9], least: [1], most: [20] },
  };
  assert.match(
    render({ ...records, manifest: { ...priced, targets } }),
    /price \(to be answered\)<\/th><td>7<\/td><td>3<\/td><td>1<\/td><td>20<\/td>/,
  );
  assert.match(page, /<h3>city<\/h3><p>Bern 30, Basel 5; none of them 2<\/p>/);
  assert.ok(!page.includes('undefined') && !page.includes('NaN'));
});

test('a run that has only begun, and one that failed, have a report too', () => {
  const { run, rounds } = sampleRecords();
  const begun = render({ run, rounds: [], sessions: [] });
  assert.match(begun, /<h2>The run<\/h2>/);
  assert.doesNotMatch(begun, /<h2>Participation|<h2>Over the rounds|undefined|NaN/);
  const [first] = rounds;
  assert.ok(first !== undefined);
  const { aggregate, evaluation, ...rest } = first;
  const failed = { ...rest, failure: { stage: 'aggregate' as const, reason: 'no good update is left' } };
  const page = render({ run, rounds: [failed], sessions: [] });
  assert.match(page, /<strong>Round 1 failed\.<\/strong> no good update is left/);
});

test('every setting has a row, known by name or not', () => {
  const { run } = sampleRecords();
  const later = { ...run, settings: { ...run.settings, later: { newKnob: 3, list: [1, 2] } } };
  const rows = new Map(settingRows(later));
  assert.equal(rows.get('learning rate η'), '0.1');
  assert.equal(rows.get('new knob'), '3');
  assert.equal(rows.get('list'), '1, 2');
  assert.equal(rows.get('dataset'), 'my<data>.npz');
});

test('many clients share columns in which what sets them apart is still to be seen', () => {
  const shards = Array.from({ length: 1000 }, (_, client) => {
    const labelHistogram = new Array<number>(10).fill(0);
    labelHistogram[client % 10] = 5 + client;
    return { examples: 5 + client, labelHistogram };
  });
  const { columns, rows } = labelColumns(shards, { classes: 10, order: 'label' });
  assert.equal(columns.length, 60);
  assert.equal(rows.length, 10);
  const pure = columns.filter(({ shares }) => Math.max(...shares) > 0.999).length;
  assert.ok(pure >= 60 - 9, `${pure}`);
  for (const { shares } of columns)
    assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-9);
  const sizes = labelColumns(shards, { classes: 10, order: 'size' }).columns.map(({ examples }) => examples);
  assert.deepEqual(
    sizes,
    sizes.toSorted((a, b) => b - a),
  );
  const wide = { examples: 3, labelHistogram: [1, ...new Array<number>(99).fill(0), 2] };
  const few = labelColumns([wide], { classes: 101, order: 'label' });
  assert.deepEqual([few.rows.length, few.rows[0], few.rows.at(-1)], [34, '0–2', '99–100']);
  assert.ok(Math.abs((few.columns[0]?.shares.at(-1) ?? 0) - 2 / 3) < 1e-9);
});

test('fedbatch run (simulated) ends with a report, and fedbatch report makes the same again', async (t) => {
  const directory = await temporaryDirectory(t);
  const data = await writeTinyDataset(directory, 200);
  const volume = join(directory, 'volume');
  const argv = [
    '--data',
    data,
    '--model',
    'mlp',
    '--epochs',
    '1',
    '--rounds',
    '2',
    '--clients',
    '2',
    '--simulate',
    '--volume',
    volume,
  ];
  const ran = await runCommand('run', [...argv, '--partition', 'label-skew', '--json']);
  assert.equal(ran.exitCode, 0, ran.stderr);
  const { report } = volumePaths(volume);
  const page = await readFile(report, 'utf8');
  const { accuracy } = JSON.parse(lastLine(ran.stdout));
  assert.ok(
    page.includes(`<dt>accuracy</dt><dd>${(accuracy * 100).toFixed(2)} %`),
    'the accuracy of the result line',
  );
  assert.match(page, /label-skew, labels per client 2, min examples 1, seed 0/);
  await rm(report);
  const again = await runCommand('report', ['--volume', volume]);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.deepEqual(JSON.parse(lastLine(again.stdout)), { file: report, rounds: 2, state: 'finished' });
  assert.equal(await readFile(report, 'utf8'), page);
});

test('a volume without a run: exit code 3 and one sentence; of a damaged record the page says so, and tells the rest', async (t) => {
  const volume = await temporaryDirectory(t);
  const refused = async (message: RegExp) => {
    const { exitCode, stderr } = await runCommand('report', ['--volume', volume]);
    assert.equal(exitCode, 3, stderr);
    assert.match(stderr, message);
    assert.equal(stderr.split('\n').length, 1, stderr);
  };
  await refused(/run\.json: expected the record of a run .*, found no such file\.$/);
  const { run } = sampleRecords();
  await writeFile(join(volume, 'run.json'), JSON.stringify(run));
  await mkdir(join(volume, 'rounds', '0001'), { recursive: true });
  await writeFile(join(volume, 'rounds', '0001', 'round.json'), '{');
  const { exitCode, stderr } = await runCommand('report', ['--volume', volume]);
  assert.equal(exitCode, 0, stderr);
  assert.match(
    stderr,
    /^warning: .*round\.json: expected the record of a round .*, found no JSON \(.*\)\.$/m,
  );
  const page = await readFile(join(volume, 'report.html'), 'utf8');
  assert.match(page, /What could not be read<\/h2>\s*<ul><li>.*round\.json: expected the record of a round/);
  await writeFile(join(volume, 'run.json'), '{');
  await refused(/run\.json: expected the record of a run .*, found no JSON \(.*\)\.$/);
});

test('clients that hold examples out are told of, the worst first; without them there is no such section', () => {
  const records = sampleRecords();
  assert.doesNotMatch(render(records), /How it is for each client/);
  const spread = (mean: number) => ({
    accuracy: { clients: 3, mean, weightedMean: mean, deviation: 0.125, worstDecile: mean - 0.25 },
  });
  const rounds = records.rounds.map((each) => ({
    ...each,
    reported: each.reported.map((client) => ({
      ...client,
      heldOut: {
        examples: 4,
        before: { loss: 1, accuracy: 0.25, metrics: { accuracy: 0.25 } },
        after: { loss: null },
      },
    })),
    acrossClients: { before: spread(0.25), after: spread(0.75) },
    evaluation: each.evaluation && { ...each.evaluation, acrossClients: spread(0.5) },
  }));
  const perClient = [0.75, 0, 0.5].map((accuracy, client) => ({
    ...{ client, examples: 4, loss: 1, accuracy, metrics: { accuracy } },
  }));
  const accuracy = records.accuracy && { ...records.accuracy, acrossClients: spread(0.5), perClient };
  const page = render({ ...records, rounds, accuracy });
  assert.match(page, /Mean over the worst tenth of the clients: accuracy of the global model/);
  assert.match(
    page,
    /new global model, all clients<\/th><td>3<\/td><td data-v="0\.5">50\.00 %<\/td><td>50\.00 %<\/td><td>12\.50 %<\/td><td>25\.00 %</,
  );
  const rows = [
    ...page.matchAll(/<th scope="row" data-v="\d">(\d)<\/th><td>4<\/td><td>([^<]*)<\/td><td>([^<]*)</g),
  ];
  // After local training, no client has the metric: there is no such column.
  assert.deepEqual(
    rows.map(([, ...cells]) => cells),
    [
      ['1', '25.00 %', '0.00 %'],
      ['2', '25.00 %', '50.00 %'],
      ['0', '25.00 %', '75.00 %'],
    ],
  );
  assert.doesNotMatch(page, /after local training<\/th>/);
  assert.ok(!page.includes('undefined') && !page.includes('NaN') && !page.includes('Infinity'));
});
