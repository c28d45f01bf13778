/** Tables for a model: by the names of its columns in any order, what is missing, what was never seen; answers as a table again. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { AnswerFacts, ServedInput } from '../models/served-facts.js';
import { writeAnswersCsv } from './answer-texts.js';
import { readTableBody } from './tables.js';

const INPUTS: readonly ServedInput[] = [
  { name: 'numbers', shape: [2], columns: [{ name: 'width' }, { name: 'height', missing: 1.5 }] },
  { name: 'soil', shape: [1], below: 4, columns: [{ name: 'soil' }], categories: ['clay', 'loam', 'sand'] },
];

const read = (text: string, inputs = INPUTS) => readTableBody({ body: Buffer.from(text), inputs });
const numbersIn = ({ tensors }: Awaited<ReturnType<typeof read>>) =>
  Object.values(tensors).map(({ values }) => [...values]);

describe('a table for a model', () => {
  it('is read by the names of its columns, in any order; others are kept', async () => {
    const table = await read('id,soil,height,width\r\n"a, 1",sand,2,1\r\nb,clay,,3\r\n');
    assert.deepEqual(numbersIn(table), [
      [1, 2, 3, 1.5],
      [3, 1],
    ]);
    assert.deepEqual(table.kept, { names: ['id'], rows: [['a, 1'], ['b']] });
  });

  it('is read in the order of the inputs where no names stand above it, or others', async () => {
    for (const head of ['', 'a;b;c\n']) {
      const table = await read(`${head}1;2;loam\n3;4;clay\n`);
      assert.deepEqual(numbersIn(table), [
        [1, 2, 3, 4],
        [2, 1],
      ]);
      assert.deepEqual(table.kept.rows, []);
    }
  });

  it('has the categories of a table that a split has read with spaces around its cells', async () => {
    const [numbers, soil] = INPUTS as [ServedInput, ServedInput];
    const inputs = [numbers, { ...soil, categories: [' clay', ' loam', ' sand'], takesUnknown: true }];
    const table = await read('width, height, soil\n1, 2, sand\n3, 4, clay\n', inputs);
    assert.deepEqual(numbersIn(table), [
      [1, 2, 3, 4],
      [3, 1],
    ]);
  });

  it('has categories that are called as what is missing is', async () => {
    const inputs = [
      { name: 'country', shape: [1], columns: [{ name: 'country' }], categories: ['DE', 'NA'] },
    ];
    const table = (takesUnknown: boolean, cells: string) =>
      read(
        `country,id\n${cells}\n`,
        inputs.map((input) => ({ ...input, takesUnknown })),
      );
    assert.deepEqual(numbersIn(await table(true, 'NA,1\nDE,2\n,3\nnull,4')), [[2, 1, 0, 0]]);
    await assert.rejects(table(false, 'NA,1\n,3'), /a category of country .*, found "" in line 3/);
  });

  it('has columns enough where they are taken in their order', async () => {
    await assert.rejects(
      read('a\n1\n'),
      /Expected the columns that the model takes, width, height, soil among them, found a\./,
    );
  });

  it('keeps every number and category of any rows, however they are quoted and ordered', async () => {
    const row = fc.record({
      width: fc.integer({ min: -1e6, max: 1e6 }),
      height: fc.integer({ min: -1e6, max: 1e6 }),
      soil: fc.constantFrom('clay', 'loam', 'sand'),
    });
    const order = fc.shuffledSubarray(['width', 'height', 'soil'] as const, { minLength: 3 });
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 2, maxLength: 20 }), order, async (rows, names) => {
        const lines = rows.map((each) => names.map((name) => `"${each[name]}"`).join());
        const [numbers, soil] = numbersIn(await read([names.join(), ...lines].join('\n')));
        assert.deepEqual(
          numbers,
          rows.flatMap(({ width, height }) => [width, height]),
        );
        assert.deepEqual(
          soil,
          rows.map((each) => ['clay', 'loam', 'sand'].indexOf(each.soil) + 1),
        );
      }),
      { numRuns: 30 },
    );
  });

  it('says in one sentence what cannot be taken, and in which line', async () => {
    const known = { ...(INPUTS[1] as ServedInput), takesUnknown: true };
    const numbers = INPUTS[0] as ServedInput;
    const unknown = await read('width,height,soil\n1,2,peat\n1,2,\n', [numbers, known]);
    assert.deepEqual(numbersIn(unknown)[1], [0, 0]);
    for (const [text, sentence] of [
      [
        'width,height,soil\n1,2,clay\n1,2,peat\n',
        /^Expected a category of soil that was in the training, one of "clay", "loam", "sand", found "peat" in line 3\.$/,
      ],
      ['width,height,soil\n1,2,\n', /^Expected a category of soil .*, found "" in line 2\.$/],
      ['width,height,soil\n,2,clay\n', /^Expected a number in column width in line 2, found nothing\.$/],
      ['width,height,soil\nbig,2,clay\n', /^Expected numbers in line 2, found "big"\.$/],
      [
        'width,soil\n1,clay\n',
        /^Expected the columns that the model takes, height among them, found width, soil\.$/,
      ],
      ['1,2\n3,4\n', /^Expected 3 numbers in line 1, those of all inputs of the model, found 2\.$/],
      ['width,height,soil\n', /^Expected a table with rows, found none\.$/],
      ['width,height,soil\n"1,2,clay\n', /^Expected rows of a CSV file, found Quote/],
      ['PAR1nothing', /^Expected a Parquet file, found /],
    ] as const)
      await assert.rejects(read(text), { status: 400, message: sentence });
  });

  it('may be Parquet, as pyarrow writes it', async () => {
    const fixture = (name: string) =>
      readFileSync(new URL(`../../../lib/formats/fixtures/parquet/${name}`, import.meta.url));
    const expected = JSON.parse(fixture('expected.json').toString()) as {
      readonly small: readonly number[];
      readonly double: readonly (number | null)[];
      readonly word: readonly string[];
      readonly coded: readonly (string | null)[];
    };
    const categories = ['b', 'c,d', 'ä'];
    const inputs: readonly ServedInput[] = [
      { name: 'x', shape: [1], columns: [{ name: 'small' }] },
      { name: 'holed', shape: [1], columns: [{ name: 'double', missing: 0.5 }] },
      { name: 'word', shape: [1], below: 4, columns: [{ name: 'word' }], categories },
    ];
    for (const name of ['none', 'snappy', 'zstd']) {
      const table = await readTableBody({ body: fixture(`${name}.parquet`), inputs });
      assert.deepEqual(numbersIn(table), [
        expected.small,
        expected.double.map((value) => Math.fround(value ?? 0.5)),
        expected.word.map((word) => categories.indexOf(word) + 1),
      ]);
      const { names, rows } = table.kept;
      const coded = names.indexOf('coded');
      assert.deepEqual(
        rows.map((row) => row[coded]),
        expected.coded.map((text) => text ?? ''),
      );
      assert.ok(names.includes('long') && !names.includes('small'));
    }
  });
});

describe('answers as a table', () => {
  const csv = (facts: AnswerFacts, answers: readonly number[], count: number) =>
    Buffer.from(writeAnswersCsv({ answers: Float32Array.from(answers), count, facts })).toString();
  const output = (task: AnswerFacts['outputs'][number]['task'], ...shape: readonly number[]) => ({
    outputs: [{ name: 'y', shape, task }],
  });

  it('have a row for each example, and columns in the words of the task', () => {
    assert.equal(
      csv({ ...output('classification', 2), labels: ['iris', 'a "rose"'] }, [0.25, 0.75, 1, 0], 2),
      'prediction,probability\n"a ""rose""",0.75\niris,1\n',
    );
    assert.equal(csv(output('binary', 1), [0.25], 1), 'prediction,probability\nno,0.25\n');
    assert.equal(
      csv({ ...output('multi-label', 2), labels: ['sea', 'sky'] }, [0.75, 0.875], 1),
      'prediction,probability sea,probability sky\nsea;sky,0.75,0.875\n',
    );
    assert.equal(csv(output('regression', 1), [1.5], 1), 'prediction\n1.5\n');
    const several = { outputs: [...output('regression', 1).outputs, ...output('binary', 1).outputs] };
    const named = several.outputs.map((each, at) => ({ ...each, name: ['price', 'sold'][at] as string }));
    assert.equal(
      csv({ outputs: named }, [3, 0.75], 1),
      'price prediction,sold prediction,sold probability\n3,yes,0.75\n',
    );
    assert.equal(
      csv(output('classification', 2, 2), [1, 0, 0, 1], 1),
      'step 0 prediction,step 0 probability,step 1 prediction,step 1 probability\n0,1,1,1\n',
    );
  });
});
