/** For each placeholder a value that is not its default. */
import assert from 'node:assert/strict';
import { PLACEHOLDERS, type PlaceholderName } from '../k8s/manifests/placeholders.js';

/** Values that one placeholder or another takes. */
const VALUES = [
  '/mnt/other',
  'http://p:9091',
  'pvc://fedbatch/runs/a',
  '-1..1',
  'mlp',
  '10.0.0.9',
  '7',
  '0.5',
  '1',
];

/** The words that fill a placeholder with such a value. */
export function filled(name: PlaceholderName): string {
  const { accepts, default: usual } = PLACEHOLDERS[name];
  const value = VALUES.find((each) => accepts(each) && each !== usual);
  assert.ok(value !== undefined, `add a value of ${name} to VALUES`);
  return `${name}=${value}`;
}
