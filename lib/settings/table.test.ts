/** Every setting of the table: its help, its flag there and back, its places in records, differences and reports. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import fc from 'fast-check';
import { settingRows } from '../../report/setting-rows.js';
import { runRecordSchema } from '../formats/run-record.js';
import { completeSettings, type GivenSettings, rivalsOf, valuesWithDefaults } from './complete.js';
import { givenByDocument } from './config-file.js';
import { settingsDifferences } from './differences.js';
import { addSettings, askedByFlags } from './options.js';
import { byFlag, byPlace, flagOf, GROUPS, type Setting, valueAt } from './setting.js';
import { ALL_PARTS, RUN_PARTS, type RunSettings, SETTINGS } from './table.js';
import { expectedOf, type SettingValue } from './value-type.js';

/** Characters of a sentence of help: two lines beside the longest flag on a terminal of 80 columns. */
const LONGEST_HELP = 100;

const command = () =>
  addSettings(new Command(), { parts: ALL_PARTS })
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });

/** What the flags of values that were given come to. */
function byFlags(given: GivenSettings): GivenSettings {
  const words = SETTINGS.flatMap((setting) => {
    const value = given[setting.place];
    if (value === undefined || value === false || setting.flag === false) return [];
    const flag = flagOf(setting) as string;
    return value === true ? [flag] : [`${flag}=${value}`];
  });
  return askedByFlags(command().parse(words, { from: 'user' }), { parts: ALL_PARTS }).given;
}

const complete = (given: GivenSettings): RunSettings =>
  completeSettings(RUN_PARTS, { given, named: byPlace });

/** What a setting may be. */
function valuesOf({ place, type }: Setting): fc.Arbitrary<SettingValue> {
  if (place === 'dataset.scale') return fc.constantFrom('auto', '-1..1', '0..16', '-2..2,0..1,0..1');
  if (place === 'model.hidden') return fc.constantFrom('64', '64,32');
  if (place.endsWith('.sha256')) return fc.constantFrom('a'.repeat(64), 'b'.repeat(64));
  if (place === 'training.classWeights') return fc.constantFrom('balanced', '0:1,1:5');
  if (place === 'training.loss')
    return fc.constantFrom('auto', 'mse', 'huber:delta=0.5', 'a=mae,b=huber:delta=2,weight=3');
  if (place === 'federation.targetMetric') return fc.constantFrom('rmse=3.2', 'auc=0.9');
  if (place === 'watching.mlflow') return fc.constantFrom('off', 'http://mlflow:5000/');
  if (place === 'watching.pushgateway') return fc.constantFrom('http://a:9091', 'https://b/c/');
  if (place === 'tolerance.quorum') return fc.constantFrom('8', '0.8', '80%');
  switch (type.kind) {
    case 'choice':
      return fc.constantFrom(...type.choices);
    case 'switch':
      return fc.boolean();
    case 'text':
      return fc.stringMatching(/^[a-z][a-z0-9/._-]{0,9}$/);
    case 'number': {
      const { min, max, above, below, isWhole, words = [] } = type;
      const least = min ?? above ?? -1000;
      const most = max ?? below ?? 1000;
      const number = isWhole
        ? fc.integer({ min: least, max: Math.min(most, 1000) })
        : fc
            .double({ min: least, max: most, noNaN: true })
            .filter((value) => value !== above && value !== below && !Object.is(value, -0));
      return words.length === 0 ? number : fc.oneof(number, fc.constantFrom(...words));
    }
  }
}

/** Values that go together: parameters of what is chosen, one of two that replace each other, none without its head. */
const givenSettings: fc.Arbitrary<GivenSettings> = fc
  .record(
    Object.fromEntries(SETTINGS.map((each) => [each.place, fc.option(valuesOf(each), { nil: undefined })])),
  )
  .map((all) => {
    const given: Record<string, SettingValue | undefined> = { ...all };
    for (const setting of SETTINGS) {
      if (given[setting.place] !== undefined)
        for (const rival of rivalsOf(setting, SETTINGS)) delete given[rival];
    }
    // A clip comes with noise; how much an epsilon asks for, a whole run knows.
    delete given['strategy.privacy.epsilon'];
    if (given['strategy.privacy.clip'] !== undefined) given['strategy.privacy.noise'] ??= 1;
    const value = valuesWithDefaults(SETTINGS, given);
    for (const { place, onlyWith, defaultsBy, otherwise } of SETTINGS) {
      if (onlyWith !== undefined && given[onlyWith] === undefined) delete given[place];
      if (defaultsBy === undefined) continue;
      const isOwn = Object.hasOwn(defaultsBy.defaults, `${value(defaultsBy.place)}`);
      if (!isOwn) delete given[place];
      else if (otherwise === undefined && value(place) === undefined) given[place] = 'writer';
    }
    return given;
  });

describe('every setting', () => {
  it('has one sentence of help that fits, a group, and a flag of its own', () => {
    const flags = new Map<string, string>();
    for (const setting of SETTINGS) {
      const { place, help, helpIn = {}, group } = setting;
      for (const sentence of [help, ...Object.values(helpIn)]) {
        assert.match(sentence, /^[^\n]+[^.\s]$/, place);
      }
      assert.ok(help.length <= LONGEST_HELP, `${place}: ${help.length} characters of help`);
      assert.ok(GROUPS.includes(group), place);
      const flag = flagOf(setting);
      if (flag === undefined) continue;
      assert.match(flag, /^--[a-z][a-z0-9]*(-[a-z0-9]+)*$/, place);
      assert.equal(flags.get(flag), undefined, `${place} and ${flags.get(flag)} share ${flag}`);
      flags.set(flag, place);
    }
  });

  it('takes its own default, and refuses what is none of its values', () => {
    for (const setting of SETTINGS.filter(({ flag }) => flag !== false)) {
      const { place, type, default: value } = setting;
      if (value !== undefined && value !== false) {
        assert.deepEqual(byFlags({ [place]: value }), { [place]: value });
      }
      const wrong = type.kind === 'number' ? 'many' : type.kind === 'choice' ? 'none of these' : undefined;
      if (wrong === undefined) continue;
      assert.throws(() => byFlags({ [place]: wrong }), { code: 'commander.invalidArgument' }, place);
      assert.throws(
        () => givenByDocument(nested(place, wrong), { settings: SETTINGS, file: 'a.yaml' }),
        { message: `a.yaml: ${place}: expected ${expectedOf(type)}, found "${wrong}".` },
        place,
      );
    }
  });

  it('is recorded, read again, told as a difference and shown in the report', () => {
    for (const setting of SETTINGS.filter(({ recorded }) => recorded !== 'never')) {
      const [value] = fc.sample(
        valuesOf(setting).filter((each) => each !== setting.default && each !== false && each !== 1),
        { numRuns: 1, seed: 1 },
      );
      const given = { ...beside(setting), [setting.place]: value };
      const settings = complete(given);
      assert.equal(valueAt(settings, setting.place), value, setting.place);
      const record = { ...RECORD, settings: JSON.parse(JSON.stringify(settings)) };
      assert.deepEqual(runRecordSchema.parse(record).settings, settings, setting.place);
      const wrong = structuredClone(record);
      replaceAt(wrong.settings, setting.place, { of: 'another kind' });
      assert.equal(runRecordSchema.safeParse(wrong).success, false, setting.place);
      const differences = settingsDifferences(complete({}), settings, byFlag({ parts: ALL_PARTS }));
      const label = flagOf(setting) ?? setting.reportName;
      const isTold = differences.some((each) => each.startsWith(`${label} `));
      // A hash is compared with another one only; when a run ends may change.
      const isQuiet = setting.affects === 'end' || setting.place.endsWith('.sha256');
      assert.equal(isTold, !isQuiet, `${setting.place}: ${differences.join('; ')}`);
      const rows = settingRows(runRecordSchema.parse(record));
      const name = setting.reportName;
      if (!setting.place.endsWith('.sha256')) {
        assert.ok(
          rows.some(([title, shown]) => shown === `${value}` && (name === undefined || title === name)),
          setting.place,
        );
      }
    }
  });

  it('comes back from its flags, from a file, and from run.json', () =>
    fc.assert(
      fc.property(givenSettings, (given) => {
        const settings = complete(given);
        const hashes = Object.fromEntries(
          Object.entries(given).filter(([place]) => place.endsWith('.sha256')),
        );
        assert.deepEqual(complete({ ...byFlags(given), ...hashes }), settings);
        const read = (document: unknown) =>
          givenByDocument(document, { settings: SETTINGS, file: 'run.json' });
        const written = JSON.parse(JSON.stringify(settings));
        assert.deepEqual(complete(read(written)), settings);
        assert.deepEqual(complete(read({ ...RECORD, settings: written })), settings);
        assert.deepEqual(runRecordSchema.parse({ ...RECORD, settings: written }).settings, {
          ...settings,
        });
      }),
      { numRuns: 60 },
    ));
});

const RECORD = {
  schemaVersion: 1,
  id: 'digits-3x2-1a2b3c4d',
  createdAt: '2026-01-01T00:00:00Z',
  threads: 1,
  versions: { fedbatch: '0.0.0', node: '20.0.0' },
};

/** What has to be given beside a setting: the scheme or strategy that it belongs to, the setting that it goes with. */
function beside({ place, defaultsBy, onlyWith }: Setting): GivenSettings {
  const owner = Object.keys(defaultsBy?.defaults ?? {}).find((each) => !defaultsBy?.idle?.includes(each));
  const head = SETTINGS.find((each) => each.place === onlyWith);
  return {
    ...(defaultsBy === undefined ? {} : { [defaultsBy.place]: owner }),
    ...(head === undefined ? {} : { ...beside(head), [head.place]: 0.5 }),
    ...(place.startsWith('strategy.privacy.') ? { 'strategy.privacy.noise': 2 } : {}),
    ...(place === 'federation.partition.scheme' ? { 'federation.partition.key': undefined } : {}),
  };
}

/** `training.epochs` → `{training: {epochs: value}}`. */
function nested(place: string, value: unknown): unknown {
  return place.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value);
}

function replaceAt(settings: unknown, place: string, value: unknown): void {
  const names = place.split('.');
  const last = names.pop() as string;
  const within = names.reduce((each, name) => (each as Record<string, unknown>)[name], settings);
  (within as Record<string, unknown>)[last] = value;
}
