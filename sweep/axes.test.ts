/** Axes as people write them: what is read, what is refused by name, and what is drawn of ranges. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../lib/core/errors.js';
import { flagOf } from '../lib/settings/setting.js';
import { SETTINGS } from '../lib/settings/table.js';
import { axisOf, parseAxis, titleOf, valueAtShare } from './axes.js';

/** What of an axis tests look at. */
const read = (text: string) => {
  const { place, name, among } = parseAxis(text);
  return [place, name, among];
};

test('values stand between commas, or between semicolons where they have commas of their own', () => {
  const rates = ['training.learningRate', 'learning-rate'];
  assert.deepEqual(read('learning-rate=0.1,0.01, 1e-3'), [...rates, [0.1, 0.01, 0.001]]);
  assert.deepEqual(read('training.learningRate=0.1'), [...rates, [0.1]]);
  assert.deepEqual(read('--learning_rate=0.1'), [...rates, [0.1]]);
  assert.deepEqual(read('hidden=64;64,32'), ['model.hidden', 'hidden', ['64', '64,32']]);
  assert.deepEqual(read('hidden=64,32;'), ['model.hidden', 'hidden', ['64,32']]);
  assert.deepEqual(read('batch=10,all'), ['training.batch', 'batch', [10, 'all']]);
  assert.deepEqual(read('data=a.npz,b=c.npz'), ['dataset.name', 'data', ['a.npz', 'b=c.npz']]);
  assert.deepEqual(read('nesterov=true,false'), ['training.nesterov', 'nesterov', [true, false]]);
  assert.deepEqual(read('scale=-1..1;0..255'), ['dataset.scale', 'scale', ['-1..1', '0..255']]);
});

test('a range is read of numbers alone', () => {
  assert.deepEqual(read('learning-rate=log:1e-4..1e-1').at(-1), { from: 0.0001, to: 0.1, isLog: true });
  assert.deepEqual(read('batch=8..64').at(-1), { from: 8, to: 64, isLog: false });
});

test('what is no setting, no value and no range is refused by name', () => {
  for (const [text, message] of [
    [
      'learning-rate',
      'Expected a setting and its values such as learning-rate=0.1,0.01, found "learning-rate".',
    ],
    ['=1', 'Expected a setting and its values such as learning-rate=0.1,0.01, found "=1".'],
    ['learnig-rate=1', 'There is no setting learnig-rate. Did you mean learning-rate?'],
    ['zzzzzzzzzz=1', 'There is no setting zzzzzzzzzz.'],
    ['retries=1,2', 'retries cannot be an axis: no result depends on it.'],
    ['epochs=1,two', 'epochs: expected a whole number of at least 1, found "two".'],
    ['epochs=1,,2', 'epochs: expected a whole number of at least 1, found "".'],
    ['epochs=1,2,1', 'epochs: 1 is given twice.'],
    ['fraction=0.5..2', 'fraction: expected a number above 0, up to 1, found "2".'],
    ['learning-rate=1..0.1', 'learning-rate: expected a range from less to more, found 1..0.1.'],
    ['learning-rate=log:0..1', 'learning-rate: expected a logarithmic range above 0, found log:0..1.'],
    ['hidden=64,', 'hidden: expected numbers of units with commas between, e.g. 64,32, found "".'],
  ] as const) {
    assert.throws(
      () => parseAxis(text),
      (error: unknown) => error instanceof UsageError && error.message === message,
      `${text}: ${message}`,
    );
  }
  assert.throws(() => axisOf('constructor', ['1']), /There is no setting constructor/);
});

test('every setting on which a result depends is an axis, by its flag and by its place', () => {
  const axes = SETTINGS.filter(({ flag, affects }) => flag !== false && affects !== 'nothing');
  assert.ok(axes.length > 40);
  for (const setting of axes) {
    const { type } = setting;
    // What texts and choices are, their settings' own tests know.
    if (type.kind === 'text' || type.kind === 'choice') continue;
    const value = type.kind === 'switch' ? 'true' : type.isWhole ? '2' : '0.5';
    for (const name of [flagOf(setting)?.slice(2) ?? '', setting.place]) {
      assert.equal(axisOf(name, [value]).place, setting.place, name);
    }
  }
});

test('what is drawn of a range lies in it, ends included, and grows with the share', () => {
  const number = fc.double({ min: 1e-6, max: 1e6, noNaN: true });
  fc.assert(
    fc.property(number, number, fc.boolean(), (a, b, isLog) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      fc.pre(from < to);
      const axis = axisOf('learning-rate', `${isLog ? 'log:' : ''}${from}..${to}`);
      const shares = [0, 0.1, 0.25, 0.5, 0.75, 0.999999];
      const values = shares.map((at) => valueAtShare(axis, at) as number);
      for (const value of values) assert.ok(value >= from && value <= to);
      assert.deepEqual(
        values,
        values.toSorted((x, y) => x - y),
      );
    }),
  );
  const epochs = axisOf('epochs', '1..4');
  const drawn = Array.from({ length: 400 }, (_, index) => valueAtShare(epochs, index / 400));
  for (const whole of [1, 2, 3, 4]) assert.equal(drawn.filter((value) => value === whole).length, 100);
  assert.equal(valueAtShare(axisOf('learning-rate', 'log:1e-4..1e-2'), 0.5), 0.001);
});

test('lists are told apart from what joins them, whatever the values are', () => {
  const units = fc.array(fc.integer({ min: 1, max: 999 }), { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(fc.uniqueArray(units, { minLength: 1, maxLength: 5, selector: String }), (layers) => {
      const texts = layers.map((each) => each.join(','));
      assert.deepEqual(parseAxis(`hidden=${texts.join(';')};`).among, texts);
    }),
  );
});

test('a configuration is told in the names of its axes', () => {
  const axes = [parseAxis('learning-rate=0.1,0.2'), parseAxis('hidden=64;64,32'), parseAxis('seed=0,1')];
  assert.equal(
    titleOf({ 'training.learningRate': 0.1, 'model.hidden': '64,32' }, axes),
    'learning-rate 0.1, hidden 64,32',
  );
  assert.equal(titleOf({}, axes), 'no axis but the seed');
});
