/** Tests of tables: what CSV and Parquet files are taken as, alone, in folders and by a description; what is refused, by the line. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { loadWhole, type WholeDataset } from '../../../../test/datasets.js';
import { partitionSettings } from '../../../../test/settings.js';
import { temporaryDirectory } from '../../../../test/temporary-directory.js';
import type { Examples } from '../../../federation/examples.js';
import { clientsInData, openSource } from '../../data/dataset-source.js';
import { descriptionText } from '../description.js';
import { findData } from '../registry.js';
import { Column } from './column.js';
import { readCsv } from './csv.js';
import { readRoles } from './table-roles.js';

const IID = partitionSettings('iid');
const BY_SHOP = partitionSettings('by-key', { key: 'shop' });

const SALES = `age,income,city,shop,date,price
30,1000.5,Bern,10,2020-01-01,1.5
40,2000,Chur,9,2020-02-01,2.5
50,-3e3,Bern,10,2020-03-01,3.25
60,4000,Basel,9,2020-04-01,4
`;

/** Loads a text as a file of its own. */
type Load = (text: string | Buffer, name?: string, scheme?: typeof BY_SHOP) => Promise<WholeDataset>;

function loader(directory: string): Load {
  let count = 0;
  return async (text, name = 'a.csv', scheme = IID) => {
    const folder = join(directory, `${count++}`);
    await mkdir(folder);
    await writeFile(join(folder, name), text);
    return loadWhole(await openSource(join(folder, name), scheme));
  };
}

const inputsOf = ({ inputs }: Examples) =>
  Object.fromEntries(inputs.map(({ name, shape, values }) => [name, { shape, values: [...values] }]));

test('numbers stand side by side, texts become numbers of categories, times are left out, the last column is the target', async (t) => {
  const load = loader(await temporaryDirectory(t));
  const { train, facts } = await load(SALES);
  assert.deepEqual(inputsOf(train), {
    numbers: { shape: [4, 3], values: [30, 1000.5, 10, 40, 2000, 9, 50, -3000, 10, 60, 4000, 9] },
    // 0 is what is none of them, as for Keras' StringLookup.
    city: { shape: [4, 1], values: [2, 3, 2, 1] },
  });
  assert.deepEqual(train.targets[0], {
    name: 'y',
    shape: [4, 1],
    values: Float32Array.of(1.5, 2.5, 3.25, 4),
  });
  assert.deepEqual(facts?.inputs, {
    numbers: { columns: ['age', 'income', 'shop'] },
    city: { columns: ['city'], categories: ['Basel', 'Bern', 'Chur'] },
  });
});

test('a key says whose a row is; owners are in the order of their numbers', async (t) => {
  const directory = await temporaryDirectory(t);
  const { train, ownership } = await loader(directory)(SALES, 'a.csv', BY_SHOP);
  assert.deepEqual(inputsOf(train).numbers?.shape, [4, 2]);
  assert.deepEqual(ownership, { owners: Uint32Array.of(1, 0, 1, 0), names: ['9', '10'] });
  assert.equal(await clientsInData(join(directory, '0', 'a.csv'), BY_SHOP), 2);
});

test('labels are texts, or whole numbers: of those from 0 no names are needed', async (t) => {
  const load = loader(await temporaryDirectory(t));
  const labels = async (column: string) => {
    const rows = column.split(' ').map((each, at) => `${at}.5,${each}`);
    const { train, facts } = await load(`a,species\n${rows.join('\n')}\n`);
    return [[...train.targets[0].values], facts?.classNames];
  };
  assert.deepEqual(await labels('setosa iris setosa'), [
    [1, 0, 1],
    ['iris', 'setosa'],
  ]);
  assert.deepEqual(await labels('0 2 1'), [[0, 2, 1], undefined]);
  assert.deepEqual(await labels('10 9 10'), [
    [1, 0, 1],
    ['9', '10'],
  ]);
});

test('whole numbers are amounts where many different ones occur, with gaps', async (t) => {
  const load = loader(await temporaryDirectory(t));
  const targets = async (numbers: readonly number[]) => {
    const { train } = await load(`a,y\n${numbers.map((each) => `0.5,${each}`).join('\n')}\n`);
    return train.targets[0].values;
  };
  const upTo = (most: number, from = 0, by = 1) => Array.from({ length: most }, (_, at) => from + at * by);
  assert.ok((await targets(upTo(21, 900, 3))) instanceof Float32Array, '21 rents');
  assert.ok((await targets(upTo(20, 900, 3))) instanceof Int32Array, '20 codes');
  assert.ok((await targets(upTo(60, 17))) instanceof Float32Array, 'ages from 17');
  assert.ok((await targets(upTo(62))) instanceof Int32Array, 'digits and letters from 0');
  assert.ok((await targets(upTo(26, 1))) instanceof Int32Array, 'letters from 1');
});

test('columns that are the pixels of a picture become one, the label before them', async (t) => {
  const load = loader(await temporaryDirectory(t));
  const pixels = Array.from({ length: 64 }, (_, at) => at * 4);
  const rows = [0, 1, 1].map((label) => [label, ...pixels].join(','));
  const names = ['label', ...pixels.map((_, at) => `pixel${at}`)].join(',');
  for (const text of [`${names}\n${rows.join('\n')}\n`, `${rows.join('\n')}\n`]) {
    const { train } = await load(text);
    assert.deepEqual(train.inputs[0].shape, [3, 8, 8]);
    assert.deepEqual([...train.inputs[0].values.subarray(64, 128)], pixels);
    assert.ok(train.inputs[0].values instanceof Uint8Array);
    assert.deepEqual([...train.targets[0].values], [0, 1, 1]);
  }
});

test('separators, quotes, line ends, a byte order mark and gzip change nothing', async (t) => {
  const load = loader(await temporaryDirectory(t));
  const expected = inputsOf((await load(SALES)).train);
  const same: readonly (readonly [string | Buffer, string])[] = [
    [SALES.replaceAll(',', ';'), 'a.csv'],
    [SALES.replaceAll(',', '\t'), 'a.tsv'],
    [SALES.replaceAll(',', '|'), 'without-an-ending'],
    [SALES.replaceAll('\n', '\r\n'), 'a.csv'],
    [`\uFEFF${SALES}\n`, 'a.csv'],
    [SALES.replaceAll('Bern', '"Bern"').replace('age', '"age"'), 'a.csv'],
    [gzipSync(SALES), 'a.csv.gz'],
  ];
  for (const [text, name] of same) assert.deepEqual(inputsOf((await load(text, name)).train), expected, name);
  // What is quoted may hold other separators, and more of them.
  const quoted = SALES.replaceAll(',', ';').replace('city', '"ci\n,,,,,,ty"').replace('Bern', '"Bern,\n"');
  assert.deepEqual(Object.keys(inputsOf((await load(quoted)).train)), ['numbers', 'ci\n,,,,,,ty']);
});

test('a reading tells how many of all bytes were read', async (t) => {
  const directory = await temporaryDirectory(t);
  for (const name of ['a.csv', 'b.csv']) await writeFile(join(directory, name), SALES);
  const heard: unknown[] = [];
  await (await openSource(directory, IID)).load({ onProgress: (progress) => heard.push(progress) });
  const total = 2 * SALES.length;
  assert.deepEqual(heard, [
    { done: SALES.length, total, unit: 'bytes' },
    { done: total, total, unit: 'bytes' },
  ]);
});

test('a folder of tables is one; files that are called test are the test', async (t) => {
  const directory = await temporaryDirectory(t);
  const [head = '', ...rows] = SALES.trim().split('\n');
  const turned = (line: string) => line.split(',').reverse().join(',');
  await writeFile(join(directory, 'test.csv'), `${head}\n${rows[3]}\n`);
  await writeFile(join(directory, 'train-1.csv'), `${head}\n${rows[0]}\n`);
  // Columns are known by their names.
  await writeFile(
    join(directory, 'train-2.csv'),
    [head, rows[1] ?? '', rows[2] ?? ''].map(turned).join('\n'),
  );
  const { train, test: held } = await loadWhole(await openSource(directory, IID));
  assert.deepEqual(inputsOf(train).numbers?.values, [30, 1000.5, 10, 40, 2000, 9, 50, -3000, 10]);
  assert.deepEqual(held && inputsOf(held).city?.values, [1]);
  await writeFile(join(directory, 'train-3.csv'), 'age,price\n1,2\n');
  await assert.rejects(
    async () => loadWhole(await openSource(directory, IID)),
    /train-3\.csv: expected the columns age, income, .* like train-1\.csv, found age, price\.$/,
  );
});

const DESCRIPTION = `kind: table
source: sales.csv
target: { column: price, as: numbers }
client: shop
test: { column: date, from: 2020-04-01 }
inputs:
  history: { columns: [age, income], shape: [2, 1] }
  place: { columns: [city], categories: [Chur, Bern] }
  shop: { columns: [shop], categories: all }
missing: { age: 35, city: unknown, price: drop }
units: { income: EUR, price: CHF }
`;

test('a description says what columns are, what stands for missing values, and which rows are the test', async (t) => {
  const directory = await temporaryDirectory(t);
  const holes = SALES.replace('40,2000', ',2000').replace('3.25', 'NA');
  await writeFile(join(directory, 'sales.csv'), holes);
  await writeFile(join(directory, 'data.yaml'), DESCRIPTION);
  const file = join(directory, 'data.yaml');
  const source = await openSource(file, BY_SHOP);
  const { train, test: held, ownership, facts } = await loadWhole(source);
  assert.deepEqual(inputsOf(train), {
    history: { shape: [2, 2, 1], values: [30, 1000.5, 35, 2000] },
    place: { shape: [2, 1], values: [2, 1] },
    shop: { shape: [2, 1], values: [1, 2] },
  });
  // Basel is none of the two that are named.
  assert.deepEqual(held && inputsOf(held).place, { shape: [1, 1], values: [0] });
  assert.deepEqual(held?.targets[0].values, Float32Array.of(4));
  assert.deepEqual(ownership, { owners: Uint32Array.of(1, 0), names: ['9', '10'] });
  assert.deepEqual(facts?.inputs?.shop?.categories, ['10', '9']);
  const { history, place } = facts?.inputs ?? {};
  assert.deepEqual([history?.units, history?.missing], [{ income: 'EUR' }, { age: 35 }]);
  assert.deepEqual([place?.units, place?.missing], [undefined, { city: 'unknown' }]);
  assert.deepEqual(facts?.target, { column: 'price', unit: 'CHF' });
  const edited = DESCRIPTION.replace('age: 35', 'age: 36');
  const before = await source.sha256();
  await writeFile(file, edited);
  assert.notEqual(await (await openSource(file, BY_SHOP)).sha256(), before, 'an edit is other data');
});

test('what is missing of a target is a number that stands for it, and never a class', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'words.csv'), 'a,y\n1,p\n2,q\n3,\n');
  await writeFile(join(directory, 'numbers.csv'), 'a,y\n1,4\n2,7\n3,\n');
  const load = async (source: string, as: string, missing: string) => {
    const file = join(directory, 'data.yaml');
    const text = `kind: table\nsource: ${source}.csv\ntarget: { column: y, as: ${as} }\ninputs: { n: { columns: [a] } }\n`;
    await writeFile(file, `${text}missing: { y: ${missing} }\n`);
    return (await loadWhole(await openSource(file, IID))).train.targets[0].values;
  };
  assert.deepEqual(await load('words', 'labels, classes: [q, p]', 'drop'), Int32Array.of(1, 0));
  assert.deepEqual(await load('numbers', 'labels', '3'), Int32Array.of(4, 7, 3));
  assert.deepEqual(await load('numbers', 'numbers', '0.5'), Float32Array.of(4, 7, 0.5));
  for (const [source, as, missing, expected] of [
    [
      'words',
      'labels, classes: [q, p]',
      'unknown',
      /words\.csv line 4: expected a text in column y, found nothing/,
    ],
    [
      'words',
      'labels, classes: [p]',
      'unknown',
      /words\.csv line 3: expected one of the 1 texts .*, found "q"/,
    ],
    ['numbers', 'labels', '0.5', /whole numbers from 0 to 65535, in column y, found 0\.5 under missing/],
  ] as const)
    await assert.rejects(load(source, as, missing), expected);
});

test('a row without a time lies before or after the test begins as a rule says, and is refused without one', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(
    join(directory, 'a.csv'),
    'a,date,y\n1,2015-01-01,0\n2,2015-08-01,1\n3,,0\n4,2015-09-01,1\n',
  );
  const load = async (missing: string, more = '') => {
    const file = join(directory, 'data.yaml');
    const text = `kind: table\nsource: a.csv\ntarget: { column: y, as: labels }\ntest: { column: date, from: 2015-07-01 }\ninputs: { n: { columns: [a] } }\n${more}`;
    await writeFile(file, `${text}missing: { ${missing} }\n`);
    const { train, test: held } = await loadWhole(await openSource(file, IID));
    return [train, held].map((each) => each && inputsOf(each).x?.values);
  };
  assert.deepEqual(await load('date: 0'), [
    [1, 3],
    [2, 4],
  ]);
  assert.deepEqual(await load('date: 1e15'), [[1], [2, 3, 4]]);
  assert.deepEqual(await load('date: drop'), [[1], [2, 4]]);
  const at = /a\.csv line 4: expected a time or a number in column date, found/;
  await assert.rejects(load(''), at);
  await assert.rejects(load(''), /no rule under missing says what stands for it/);
  await assert.rejects(load('date: mean'), at);
  await assert.rejects(load('date: mean'), /mean under missing, which stands for numbers of inputs alone/);
  await assert.rejects(load('date: unknown'), /unknown under missing cannot stand for it/);
});

test('a description that names columns which there are not, or a rule for one of which nothing is made, is refused', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'a.csv'), 'a,b,y\n1,2,0\n2,,1\n');
  const load = async (more: string) => {
    const file = join(directory, 'data.yaml');
    await writeFile(
      file,
      `kind: table\nsource: a.csv\ntarget: { column: y, as: labels }\ninputs: { n: { columns: [a] } }\n${more}\n`,
    );
    return loadWhole(await openSource(file, IID));
  };
  await load('ignored: [b]');
  for (const [field, value] of [
    ['missing', '{ c: 0 }'],
    ['units', '{ c: EUR }'],
    ['ignored', '[c]'],
  ])
    await assert.rejects(
      load(`${field}: ${value}`),
      new RegExp(
        `a\\.csv: expected a column c, which the description names under ${field}, found columns a, b, y`,
      ),
    );
  await assert.rejects(
    load('missing: { b: drop }'),
    /a\.csv: expected no rule under missing for column b, of which nothing is made, found drop/,
  );
});

test('columns that number the rows are left out, and names that count the columns are no row', async (t) => {
  const directory = await temporaryDirectory(t);
  const load = async (text: string) => {
    const told: string[] = [];
    await writeFile(join(directory, 'a.csv'), text);
    const source = await openSource(join(directory, 'a.csv'), IID, { tell: (note) => told.push(note) });
    const { train } = await loadWhole(source);
    return { x: inputsOf(train).x?.values, y: [...train.targets[0].values], told };
  };
  // As pandas writes a table, as R does, and as Parquet has it from pandas, which puts it last.
  for (const text of [
    ',a,b\n0,5.5,6\n1,2.5,4\n',
    '"","a","b"\n"1",5.5,6\n"2",2.5,4\n',
    'a,b,__index_level_0__\n5.5,6,7\n2.5,4,3\n',
  ]) {
    const { x, y, told } = await load(text);
    assert.deepEqual(
      [x, y],
      [
        [5.5, 2.5],
        [1, 0],
      ],
      text,
    );
    assert.match(told.join(), /^column (column0|__index_level_0__) numbers or names the rows, .*: left out$/);
  }
  // Nothing has a name: all columns are of the table.
  assert.deepEqual((await load('5.5,6\n2.5,4\n')).x, [5.5, 2.5]);
  const counted = await load('0,1,2,3\n0.5,1.5,2.5,0\n1.5,2.5,3.5,1\n');
  assert.deepEqual(
    [counted.x, counted.y],
    [
      [0.5, 1.5, 2.5, 1.5, 2.5, 3.5],
      [0, 1],
    ],
  );
  const row = await load('0,1,2,3\n4,5,6,7\n');
  assert.deepEqual(row.x, [0, 1, 2, 4, 5, 6]);
});

test('a table that lies there twice counts once or is refused, and whatever is called test is the test', async (t) => {
  const directory = await temporaryDirectory(t);
  const text = 'a,y\n1,0\n2,1\n';
  await writeFile(join(directory, 'a.csv'), text);
  await writeFile(join(directory, 'a.csv.gz'), gzipSync(text));
  await writeFile(join(directory, 'test1.csv'), 'a,y\n3,1\n');
  await writeFile(join(directory, 'testimony.csv'), 'a,y\n4,1\n');
  const { train, test: held } = await loadWhole(await openSource(directory, IID));
  assert.deepEqual(inputsOf(train).x?.values, [1, 2, 4]);
  assert.deepEqual(held && inputsOf(held).x?.values, [3]);
  await writeFile(join(directory, 'a.parquet'), 'PAR1');
  await assert.rejects(
    async () => openSource(directory, IID),
    /expected each table once, found a\.csv and a\.parquet/,
  );
});

test('numbers that would be taken as something else are refused: decimal commas, classes that a double does not tell apart, what no 32-bit float holds', async (t) => {
  const directory = await temporaryDirectory(t);
  const load = async (text: string, description?: string) => {
    await writeFile(join(directory, 'a.csv'), text);
    await writeFile(join(directory, 'data.yaml'), description ?? '');
    const file = join(directory, description === undefined ? 'a.csv' : 'data.yaml');
    return (await loadWhole(await openSource(file, IID))).train.targets[0].values;
  };
  await assert.rejects(
    load('a;b;y\n1,5;2;0\n2,5;3;1\n'),
    /a\.csv: expected a decimal point in the numbers of column a, or a description .*, found "1,5"/,
  );
  await assert.rejects(load('a;y\n1;1,5\n2;2,5\n'), /a decimal point in the numbers of column y/);
  for (const [text, column] of [
    ['a,y\n1,0\n1e39,1\n', 'a'],
    ['a,y\n1,0.5\n2,-1e400\n', 'y'],
  ] as const)
    await assert.rejects(
      load(text),
      new RegExp(
        `a\\.csv: expected numbers that a 32-bit float holds in column ${column}, found (1e\\+39|-Infinity)\\.$`,
      ),
    );
  const large = 'a,y\n1,9007199254740993\n2,9007199254740992\n';
  await assert.rejects(load(large), /whole numbers up to 2\^53, or a description .* in column y/);
  const listed =
    'kind: table\nsource: a.csv\ntarget: { column: y, as: labels, classes: ["9007199254740992", "9007199254740993"] }\ninputs: { n: { columns: [a] } }\n';
  assert.deepEqual(await load(large, listed), Int32Array.of(1, 0));
});

test('what an import writes as a description reads as the table did without one', async (t) => {
  const directory = await temporaryDirectory(t);
  const tables = [SALES, 'a,b,species\n1,2,x\n3,4.5,y\n5,6,x\n', 'a,b,k\n1,2,10\n3,4.5,9\n5,6,10\n'];
  for (const [at, text] of tables.entries()) {
    const file = join(directory, `${at}.csv`);
    await writeFile(file, text);
    const survey = (await (await findData(file))?.survey?.({}, {}))?.understanding;
    assert.ok(survey !== undefined);
    assert.deepEqual(survey.problems, []);
    await writeFile(join(directory, `${at}.yaml`), await descriptionText(survey.description as never));
    const [plain, described] = [file, join(directory, `${at}.yaml`)].map(async (data) =>
      loadWhole(await openSource(data, IID)),
    );
    assert.deepEqual(await described, await plain);
  }
});

test('a survey tells of every column, also where the table cannot be read yet', async (t) => {
  const file = join(await temporaryDirectory(t), 'a.csv');
  await writeFile(file, 'n,m,w,d,e,y\n1,2,x,2020-01-01,,a\nNA,x,y,2020-01-02,,b\n4,3,x,,,a\n');
  const survey = (await (await findData(file))?.survey?.({ client: 'w' }, {}))?.understanding;
  assert.deepEqual(survey?.columns, [
    { name: 'n', type: 'number', missing: 1, least: 1, most: 4, mean: 2.5 },
    { name: 'm', type: 'mixed', missing: 0 },
    { name: 'w', type: 'text', missing: 0, texts: 2 },
    { name: 'd', type: 'time', missing: 1, texts: 2 },
    { name: 'e', type: 'empty', missing: 3 },
    { name: 'y', type: 'text', missing: 0, texts: 2 },
  ]);
  assert.match(
    survey?.problems.join('\n') ?? '',
    /a\.csv line 3: expected a number in column m .*"x"\ncolumn n lacks 1/,
  );
  assert.deepEqual(survey?.description, {
    kind: 'table',
    source: file,
    target: { column: 'y', as: 'labels', classes: ['a', 'b'] },
    client: 'w',
    inputs: { numbers: { columns: ['n'] } },
    ignored: ['m', 'd', 'e'],
  });
});

test('what cannot be read is refused in one sentence, by file and line', async (t) => {
  const directory = await temporaryDirectory(t);
  const load = loader(directory);
  const cases: readonly (readonly [RegExp, string])[] = [
    [/a\.csv line 3: expected as many cells as in the first row, found 2\.$/, 'a,b,y\n1,2,0\n3,4\n'],
    [
      /a\.csv line \d: expected a row of a CSV file, found a quote that is never closed\.$/,
      'a,b,y\n1,2,0\n"3,4,1\n',
    ],
    [/a\.csv line 3: .*found a quote within a cell/, 'a,b,y\n1,2,0\n3"4",4,1\n'],
    [
      /a\.csv line 3: expected a number in column b as in the rows before it, found "x"\. To mend it: npx fedbatch dataset import \S*a\.csv --yaml data\.yaml$/,
      'a,b,y\n1,2,0\n3,x,1\n',
    ],
    [
      /a\.csv line 3: expected a number in column a, found nothing \(2 of 3 rows have none, .*missing/,
      'a,b,y\n1,2,0\n,3,1\n,3,1\n',
    ],
    [/a\.csv line 3: expected a number in column y, found "NA"/, 'a,b,y\n1,2,0\n1,3,NA\n'],
    [/a\.csv: expected a table with rows, found none/, 'a,b,y\n'],
    [/a\.csv: expected columns of different names, found a twice/, 'a,a,y\n1,2,0\n'],
    [
      /a\.csv: expected columns to learn from, found column d holds times: left out/,
      'd,y\n2020-01-01,0\n2020-01-02,1\n',
    ],
    [/a\.csv: expected labels of at least 2 classes, found label 0 alone/, 'a,y\n1,0\n2,0\n'],
  ];
  for (const [expected, text] of cases) {
    await assert.rejects(load(text), (error: Error) => {
      assert.equal(error.name, 'DataError', error.stack);
      assert.match(error.message, expected);
      return true;
    });
  }
  await assert.rejects(
    load(SALES, 'a.csv', partitionSettings('by-key', { key: 'store' })),
    /expected a column store, found columns age, income/,
  );
  await assert.rejects(
    load(gzipSync(SALES).subarray(0, 60), 'a.csv.gz'),
    /a\.csv\.gz: expected a gzip file, found damaged data/,
  );
});

test('a description that does not fit is refused by its field or its column', async (t) => {
  const directory = await temporaryDirectory(t);
  await writeFile(join(directory, 'sales.csv'), SALES);
  const file = join(directory, 'data.yaml');
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['kind: table', 'kind: list', /data\.yaml: expected a description of data, found kind: /],
    ['inputs:', 'input:', /data\.yaml: expected a description of data, found /],
    ['column: price', 'column: [price', /data\.yaml: expected YAML, found /],
    ['column: price', 'column: cost', /expected a column cost, found columns age/],
    [
      'source: sales.csv',
      'source: none.csv',
      /none\.csv: expected data that a description can describe, found none/,
    ],
    ['city: unknown, ', '', /sales\.csv line 5: expected one of the 2 texts .* city, found "Basel"/],
    [
      'shape: [2, 1]',
      'shape: [3, 1]',
      /expected the input history of shape 3 × 1 to have 3 columns, found 2/,
    ],
    [
      'columns: [age, income]',
      'columns: [age, city]',
      /sales\.csv line 2: expected a number in column city, found "Bern"/,
    ],
    [
      'from: 2020-04-01',
      'from: 2030-01-01',
      /expected rows before and from 2030-01-01 in date, found 4 for training and 0/,
    ],
    [
      'from: 2020-04-01',
      'from: spring',
      /expected test\.from to be a number or a time like 2015-07-01, found spring/,
    ],
  ];
  for (const [from, to, expected] of cases) {
    assert.ok(DESCRIPTION.includes(from));
    await writeFile(file, DESCRIPTION.replace(from, to));
    await assert.rejects(
      async () => loadWhole(await openSource(file, BY_SHOP)),
      (error: Error) => {
        assert.equal(error.name, 'DataError', error.stack);
        assert.match(error.message, expected);
        return true;
      },
    );
  }
  await writeFile(join(directory, 'sales.csv'), SALES.replace('1.5', '').replace('3.25', ''));
  await writeFile(file, DESCRIPTION.replace(/test: .*\n/, ''));
  await assert.rejects(
    async () => loadWhole(await openSource(file, BY_SHOP)),
    /sales\.csv: expected a row with a target for each shop, found none of "10"/,
  );
  await assert.rejects(
    async () => loadWhole(await openSource(file, BY_SHOP, { targets: 'labels' })),
    /^UsageError: The loss wants labels, and the description says that price is taken as numbers/,
  );
});

const parquet = (name: string) =>
  fileURLToPath(new URL(`../../../../../lib/formats/fixtures/parquet/${name}`, import.meta.url));

test('Parquet files of every compression hold what pandas reads of them', async () => {
  const expected = JSON.parse(await readFile(parquet('expected.json'), 'utf8')) as Readonly<
    Record<string, readonly (number | string | null)[]>
  >;
  for (const codec of ['none', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4']) {
    const files = [{ path: parquet(`${codec}.parquet`), isParquet: true, isTest: false }];
    const { inputs, target, names } = await readRoles(files, { keeps: 'all' });
    assert.deepEqual(names, Object.keys(expected));
    for (const [name, values] of Object.entries(expected)) {
      const column = name === target.name ? target : (inputs.get(name) as Column);
      assert.deepEqual(cellsOf(column, values.length), values.map(single(column)), `${codec} ${name}`);
    }
  }
  await assert.rejects(
    async () => loadWhole(await openSource(parquet('nested.parquet'), IID)),
    /nested\.parquet row 1: expected numbers, texts or times in column list, found "a value that is neither/,
  );
});

/** Numbers of inputs are kept in 32 bits; a time at midnight is a date. */
const single = (column: Column) => (value: number | string | null) => {
  if (typeof value === 'number' && column.name !== 'price') return Math.fround(value);
  const isTime = typeof value === 'string' && /T\d/.test(value);
  return isTime ? `${value}.000Z`.replace('T00:00:00.000Z', '') : value;
};

function cellsOf(column: Column, rows: number): readonly (number | string | null)[] {
  const texts = [...(column.texts?.keys() ?? [])];
  return Array.from({ length: rows }, (_, row) => {
    const value = column.at(row);
    if (column.type === 'number') return Number.isNaN(value) ? null : value;
    return texts[value] ?? null;
  });
}

test('text that is not UTF-8 is refused by its line, on any side of the borders of chunks', async (t) => {
  const file = join(await temporaryDirectory(t), 'a.csv');
  const sink = { columnsFor: () => [], onBytes: () => undefined };
  const rows = Buffer.from('text,number\n'.padEnd(2 ** 20 - 20, `${'Zürich'.repeat(99)},1\n`));
  const latin = Buffer.from('Z\xfcrich,1\n', 'latin1');
  const lines = rows.toString().split('\n').length;
  for (const [bytes, line] of [
    [Buffer.concat([latin, rows]), 1],
    [Buffer.concat([rows, latin, rows]), lines],
    [Buffer.concat([rows, Buffer.from(',1\n'), latin.subarray(0, 3)]), lines + 1],
    [Buffer.from('\ufefftext,number\nBern,1\n', 'utf16le'), 1],
  ] as const) {
    await writeFile(file, bytes);
    await assert.rejects(readCsv(file, { separator: ',', isZipped: false }, sink), {
      name: 'DataError',
      message: new RegExp(`a\\.csv line ${line}: expected text in UTF-8, found other bytes`),
    });
  }
});

test('any cells come back from a CSV as they were, on any side of the borders of chunks', async (t) => {
  const file = join(await temporaryDirectory(t), 'a.csv');
  const cell = fc.string({ unit: 'grapheme', maxLength: 6 }).filter((text) => !text.includes('\uFFFD'));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(cell, fc.double({ noNaN: true, noDefaultInfinity: true })), {
        minLength: 1,
        maxLength: 30,
      }),
      async (rows) => {
        const quoted = rows.map(([text, number]) => `"t${text.replaceAll('"', '""')}",${number}`);
        await writeFile(file, `text,number\n${quoted.join('\n')}\n`);
        const text = new Column('text', { as: 'text', keep: 'cells' });
        const number = new Column('number', { as: 'number', keep: 'exact cells' });
        await readCsv(
          file,
          { separator: ',', isZipped: false },
          {
            columnsFor: () => [
              { at: 0, column: text },
              { at: 1, column: number },
            ],
            onBytes: () => undefined,
          },
        );
        assert.deepEqual(
          cellsOf(text, rows.length),
          rows.map(([each]) => `t${each}`),
        );
        assert.deepEqual(
          cellsOf(number, rows.length),
          rows.map(([, each]) => Number(`${each}`)),
        );
      },
    ),
    { numRuns: 40 },
  );
  const long = new Column('long', { as: 'number', keep: 'cells' });
  for (let at = 0; at < 140_000; at++) long.addText(`${at}`, at);
  for (const at of [0, 65_535, 65_536, 131_072, 139_999]) assert.equal(long.at(at), at);
});
