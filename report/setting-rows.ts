/** A run's settings as rows of a table, whatever settings this version or a later one has. */
import { basename } from 'node:path';
import type { RunRecord } from '../lib/formats/run-record.js';
import { SETTINGS } from '../lib/settings/table.js';

/** Told elsewhere in the report, or by another row. */
const LEFT_OUT: readonly string[] = ['dataset.sha256', 'model.sha256'];

/** Name and value of every setting, then threads and versions. */
export function settingRows({
  settings,
  threads,
  versions,
}: RunRecord): readonly (readonly [string, string])[] {
  const rows = flatten(settings)
    .filter(([key]) => !LEFT_OUT.includes(key))
    // A path says where a machine keeps its files; the name of the file says enough.
    .map(([key, value]) => [nameOf(key), isFile(key) ? basename(value) : value] as const);
  return [
    ...rows,
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

/** As the table of settings names it, else as its place does: `training.localSteps` → `local steps`. */
function nameOf(key: string): string {
  const name = SETTINGS.find(({ place }) => place === key)?.reportName;
  if (name !== undefined) return name;
  const last = key.split('.').at(-1) ?? key;
  return last.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
