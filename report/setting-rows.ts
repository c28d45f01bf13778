/** A run's settings as rows of a table, whatever settings this version or a later one has. */
import { basename } from 'node:path';
import type { RoundRecord, RunRecord } from '../lib/formats/run-record.js';
import { isIdle, SETTINGS } from '../lib/settings/table.js';

/** Told elsewhere in the report, or by another row. */
const LEFT_OUT: readonly string[] = ['dataset.sha256', 'model.sha256'];

/** What trained the clients, as rounds have it on record: what a run asks for may be left to the machine. */
export function enginesThatRan(rounds: readonly RoundRecord[]): readonly string[] {
  const engines = rounds.flatMap(({ reported, simulated }) => [
    ...reported.flatMap(({ engine }) => (engine === undefined ? [] : [engine])),
    ...(simulated === undefined ? [] : [simulated.engine]),
  ]);
  return [...new Set(engines)];
}

/** Name and value of every setting that applied, then threads and versions; in the place of the engine asked for those that ran. */
export function settingRows(
  { settings, threads, versions }: RunRecord,
  engines: readonly string[] = [],
): readonly (readonly [string, string])[] {
  const ran = engines.length === 0 ? LEFT_OUT : [...LEFT_OUT, 'engine.name', 'engine.backend'];
  const rows = flatten(settings)
    .filter(([key]) => !ran.includes(key) && !isIdle(key, settings))
    // A path says where a machine keeps its files; the name of the file says enough.
    .map(([key, value]) => [nameOfSetting(key), isFile(key) ? basename(value) : value] as const);
  return [
    ...rows,
    ...(engines.length === 0 ? [] : [['engine', engines.join(', ')] as const]),
    ['threads of a trainer', `${threads}`],
    ['fedbatch', versions.fedbatch],
    ['Node', versions.node],
  ];
}

function flatten(value: object, prefix = ''): readonly (readonly [key: string, value: string])[] {
  return Object.entries(value).flatMap(([key, inner]) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? flatten(inner, `${prefix}${key}.`)
      : inner === undefined
        ? []
        : [[prefix + key, Array.isArray(inner) ? inner.join(', ') : String(inner)] as const],
  );
}

const isFile = (key: string) => SETTINGS.find(({ place }) => place === key)?.isFile === true;

/** A setting as the table of settings names it, else as its place does: `training.localSteps` → `local steps`. */
export function nameOfSetting(key: string): string {
  const name = SETTINGS.find(({ place }) => place === key)?.reportName;
  if (name !== undefined) return name;
  const last = key.split('.').at(-1) ?? key;
  return last.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
