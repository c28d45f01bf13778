/** What a server says of itself and of the types that it knows. */
import { RESOURCE_TYPES } from './objects.js';

/** Answers `/version`, `/api`, `/apis` and what stands below them; undefined for any other address. */
export function discover(pathname: string): object | undefined {
  if (pathname === '/version') return { major: '1', minor: '29', gitVersion: 'v1.29.0' };
  if (pathname === '/api') return { kind: 'APIVersions', versions: ['v1'] };
  const groups = [...new Set(RESOURCE_TYPES.map(({ group }) => group))].filter((group) => group !== '');
  if (pathname === '/apis') {
    const version = (group: string) => ({ groupVersion: `${group}/v1`, version: 'v1' });
    return {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: groups.map((name) => ({ name, versions: [version(name)], preferredVersion: version(name) })),
    };
  }
  const group = pathname === '/api/v1' ? '' : groups.find((name) => pathname === `/apis/${name}/v1`);
  if (group === undefined) return undefined;
  const types = RESOURCE_TYPES.filter((each) => each.group === group);
  const resources = types.map(({ plural, kind, namespaced }) => ({
    name: plural,
    kind,
    namespaced,
    verbs: [],
  }));
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: group === '' ? 'v1' : `${group}/v1`,
    resources,
  };
}
