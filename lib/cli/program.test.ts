/** Flags and option values: both spellings, and errors that name what was expected. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { integerOption, numberOption } from './options.js';
import { normaliseFlag } from './program.js';

describe('normaliseFlag', () => {
  it('takes - and _ in names, and leaves values and other words alone', () => {
    assert.equal(normaliseFlag('--n_container'), '--n-container');
    assert.equal(normaliseFlag('--save_dir=/a_b/c_d'), '--save-dir=/a_b/c_d');
    assert.equal(normaliseFlag('my_file.npz'), 'my_file.npz');
    assert.equal(normaliseFlag('-a_b'), '-a_b');
  });
});

describe('option values', () => {
  const refused = (parse: (text: string) => number, ...texts: readonly string[]) => {
    for (const text of texts) assert.throws(() => parse(text), InvalidArgumentError, text);
  };

  it('are whole numbers within bounds', () => {
    assert.equal(integerOption({ min: 1 })('10'), 10);
    refused(integerOption({ min: 1, max: 5 }), '0', '6', '1.5', 'one', '', '1e0', '0x1', 'Infinity');
    assert.throws(() => integerOption({ min: 1, max: 5 })('9'), /from 1 to 5, found "9"/);
    assert.throws(() => integerOption({ min: 1 })('0'), /of at least 1, found "0"/);
  });

  it('are finite numbers within bounds', () => {
    assert.equal(numberOption({ min: 0 })('1e-3'), 0.001);
    refused(numberOption({ min: 0, max: 1 }), '-0.1', '1.1', 'NaN', 'Infinity', '', ' ');
    refused(numberOption({ above: 0 }), '0', '-1');
    refused(numberOption({ min: 0, below: 1 }), '1', '-0.1');
    assert.equal(numberOption({ min: 0, below: 1 })('0'), 0);
    assert.throws(
      () => numberOption({ min: 0, below: 1 })('1'),
      /a number of at least 0 and below 1, found "1"/,
    );
  });
});
