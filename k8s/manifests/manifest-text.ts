/** Kubernetes objects as text that kubectl reads. */
import { stringify } from 'yaml';

/**
 * Objects as YAML documents. Kubernetes still reads YAML 1.1, in which a plain `on` is true and `1:20` is 80: whatever
 * could be misread is quoted.
 */
export function toYaml(objects: readonly unknown[]): string {
  return objects
    .map((object) => stringify(object, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }))
    .join('---\n');
}

/** Objects as JSON: one object as itself, several as a list, both of which kubectl applies. */
export function toJson(objects: readonly unknown[]): string {
  const [first] = objects;
  const whole = objects.length === 1 ? first : { apiVersion: 'v1', kind: 'List', items: objects };
  return `${JSON.stringify(whole, null, 2)}\n`;
}
