/** Tests of lines that are read from their bytes: any numbers and texts come out as from text, and lines are counted across the change to the parser. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { temporaryDirectory } from '../../../../test/temporary-directory.js';
import { Column } from './column.js';
import { readCsv } from './csv.js';
import { PlainLines } from './plain-lines.js';

/** Numbers of any length, most of them beyond what a double holds. */
const digits = fc.stringMatching(/^[+-]?(\d{1,20}(\.\d{0,25})?|\.\d{1,24})$/);
/** Texts that need quotes, and may have them where they do not. */
const words = fc.constantFrom('a', '', 'ü b', '"x"', '"x,y"', '"x ""y"""', '"x\ny"', '"1"');
const unquoted = (word: string) => (word.startsWith('"') ? word.slice(1, -1).replaceAll('""', '"') : word);

test('any numbers and texts are read as they are spelled, whichever way their lines take', async (t) => {
  const file = join(await temporaryDirectory(t), 'a.csv');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(digits, words), { minLength: 2, maxLength: 20 }),
      fc.constantFrom('\n', '\r\n'),
      fc.boolean(),
      async (rows, end, isEnded) => {
        const lines = ['number,word', ...rows.map((row) => row.join(','))];
        await writeFile(file, lines.join(end) + (isEnded ? end : ''));
        const number = new Column('number', { as: 'number', keep: 'exact cells' });
        const word = new Column('word', { as: 'text', keep: 'cells' });
        const columnsFor = () => [
          { at: 0, column: number },
          { at: 1, column: word },
        ];
        await readCsv(file, { separator: ',', isZipped: false }, { columnsFor, onBytes: () => undefined });
        const texts = [...(word.texts?.keys() ?? [])];
        assert.equal(number.rows, rows.length);
        for (const [at, [text, given]] of rows.entries()) {
          assert.ok(Object.is(number.at(at), Number(text)), text);
          assert.equal(texts[word.at(at)] ?? '', unquoted(given));
        }
      },
    ),
    { numRuns: 80 },
  );
});

test('what is not plain is left for the parser, from the beginning of its line', () => {
  const column = new Column('a', { as: 'auto', keep: 'cells' });
  const lengths: number[] = [];
  const lines = new PlainLines(',', 100, {
    targets: [{ at: 0, column }],
    startWith: () => assert.fail('the columns are known'),
    requireLength: (cells) => lengths.push(cells),
  });
  assert.equal(lines.read(Buffer.from('1,"a"\n\n2,\n')).length, 0);
  assert.equal(`${lines.read(Buffer.from('3,b\n4,"a\nb"\n'))}`, '4,"a\nb"\n');
  assert.deepEqual([lines.lines, lengths, column.rows], [4, [2, 2, 2], 3]);
  for (const odd of ['5,a"b\n', '5,"a" \n', '5,"a""b"\n', `5,${'x'.repeat(100)}\n`])
    assert.equal(`${lines.read(Buffer.from(odd))}`, odd);
});

test('a row of another length is refused by its line, before and after lines with quotes', async (t) => {
  const file = join(await temporaryDirectory(t), 'a.csv');
  for (const before of ['1,2\n3,4\n', '1,"a ""b"""\n3,4\n']) {
    await writeFile(file, `a,b\n${before}5,6,7\n8,9\n`);
    const column = new Column('a', { as: 'auto', keep: 'cells' });
    const sink = { columnsFor: () => [{ at: 0, column }], onBytes: () => undefined };
    await assert.rejects(
      readCsv(file, { separator: ',', isZipped: false }, sink),
      /a\.csv line 4: expected as many cells as in the first row, found 3\.$/,
    );
  }
});
