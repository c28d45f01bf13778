/** Server-side apply: who set which field, conflicts between managers, fields that go when their manager drops them. */
import { ApiError, type KubeObject, qualifiedName, typeOf } from './objects.js';

type Json = unknown;
type Fields = Record<string, Json>;

/** What is no part of an applied configuration. */
const SERVER_FIELDS = ['apiVersion', 'kind', 'status', 'metadata/name', 'metadata/namespace'];

/**
 * The object after `manager` has applied `applied` to `current`. A list counts as one field, which real servers do for
 * lists without keys alone: none of the objects that are applied twice here differs in that.
 *
 * @throws {ApiError} 409 when another manager has set a field to something else, and `force` is false
 */
export function applyServerSide(
  current: KubeObject | undefined,
  applied: KubeObject,
  { manager, force }: { readonly manager: string; readonly force: boolean },
): KubeObject {
  const base = structuredClone(current ?? { ...applied, metadata: { ...applied.metadata } });
  const owners = ownersOf(current);
  const leaves = leavesOf(applied);
  const conflicts = [...leaves.keys()].filter(
    (path) =>
      JSON.stringify(at(base, path)) !== JSON.stringify(leaves.get(path)) &&
      [...owners].some(([other, paths]) => other !== manager && paths.includes(path)),
  );
  if (conflicts.length > 0 && !force) {
    const { plural } = typeOf(applied);
    throw new ApiError(
      409,
      'Conflict',
      `Apply failed with ${conflicts.length} conflict: conflicts with another manager of ${plural}: ${conflicts.map((path) => `.${path.replaceAll('/', '.')}`).join(', ')}`,
    );
  }
  const dropped = (owners.get(manager) ?? []).filter((path) => !leaves.has(path));
  for (const path of dropped) {
    if (![...owners].some(([other, paths]) => other !== manager && paths.includes(path)))
      set(base, path, undefined);
  }
  for (const [path, value] of leaves) set(base, path, value);
  for (const [other, paths] of owners)
    owners.set(
      other,
      paths.filter((path) => !conflicts.includes(path)),
    );
  owners.set(manager, [...leaves.keys()]);
  base.metadata.managedFields = [...owners].map(([name, paths]) => ({
    manager: name,
    operation: 'Apply',
    apiVersion: applied.apiVersion,
    fieldsType: 'FieldsV1',
    fieldsV1: Object.fromEntries(paths.map((path) => [`f:${path}`, {}])),
  }));
  return base;
}

/** @throws {ApiError} 400 for an apply without a field manager */
export function requireManager(manager: string | null, object: KubeObject): string {
  if (manager !== null && manager !== '') return manager;
  throw new ApiError(
    400,
    'BadRequest',
    `PatchOptions.meta.k8s.io "${qualifiedName(typeOf(object))}" is invalid: fieldManager: Required value: is required for apply patch`,
  );
}

function ownersOf(object: KubeObject | undefined): Map<string, readonly string[]> {
  const managed = (object?.metadata.managedFields ?? []) as readonly { manager: string; fieldsV1: Fields }[];
  return new Map(
    managed.map(({ manager, fieldsV1 }) => [manager, Object.keys(fieldsV1).map((path) => path.slice(2))]),
  );
}

function leavesOf(object: KubeObject): Map<string, Json> {
  const leaves = new Map<string, Json>();
  const visit = (value: Json, path: string) => {
    if (SERVER_FIELDS.includes(path)) return;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) leaves.set(path, value);
    else
      for (const [key, inner] of Object.entries(value))
        visit(inner, path === '' ? escapeKey(key) : `${path}/${escapeKey(key)}`);
  };
  visit(object, '');
  return leaves;
}

/** Keys of labels hold slashes. */
const escapeKey = (key: string) => key.replaceAll('~', '~0').replaceAll('/', '~1');
const unescapeKey = (key: string) => key.replaceAll('~1', '/').replaceAll('~0', '~');

function at(object: Json, path: string): Json {
  return path
    .split('/')
    .reduce<Json>((value, key) => (value as Fields | undefined)?.[unescapeKey(key)], object);
}

function set(object: Fields, path: string, value: Json): void {
  const keys = path.split('/').map(unescapeKey);
  const last = keys.pop() ?? '';
  let inner = object;
  for (const key of keys) {
    inner[key] ??= {};
    inner = inner[key] as Fields;
  }
  if (value === undefined) delete inner[last];
  else inner[last] = value;
}
