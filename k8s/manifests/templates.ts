/** The templates: plain YAML files with placeholders, how values come into them, and objects as text that kubectl reads. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments, stringify, visit } from 'yaml';
import { UsageError } from '../../lib/core/errors.js';
import {
  checkValues,
  isPlaceholder,
  PLACEHOLDERS,
  type Placeholder,
  type PlaceholderName,
  type Values,
} from './placeholders.js';

/** The templates by what they make, in the order in which a cluster is given them. */
export const TEMPLATES = {
  rbac: '0-rbac.yaml',
  'nfs-deployment': '1-nfs-deployment.yaml',
  'nfs-service': '2-nfs-service.yaml',
  'nfs-pv-pvc': '3-nfs-pv-pvc.yaml',
  pvc: '3-pvc.yaml',
  'network-policy': 'network-policy.yaml',
  splitter: '4-splitter.yaml',
  trainer: '5-trainer.yaml',
  aggregator: '6-aggregator.yaml',
  server: '7-server.yaml',
  ingress: '7-ingress.yaml',
  autoscaler: '7-autoscaler.yaml',
  kserve: '7-kserve.yaml',
  pipeline: '8-pipeline.yaml',
  'accuracy-test': '9999-accuracy-test.yaml',
  busybox: '9999-busybox.yaml',
  tensorboard: '9999-tensorboard.yaml',
  watch: '9999-watch.yaml',
} as const satisfies Readonly<Record<string, string>>;

/** What a template makes. */
export type TemplateName = keyof typeof TEMPLATES;

/** The names in the order in which a cluster is given what they make. */
export const TEMPLATE_NAMES = Object.keys(TEMPLATES) as readonly TemplateName[];

/** Where the templates lie (the compiled module lies in dist/k8s). */
export const TEMPLATE_DIRECTORY = fileURLToPath(new URL('../../../k8s/', import.meta.url));

/** What every object of Kubernetes has; the rest is as the template says. */
export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string> };
}

/** `{{NAME}}` in the place of a value: one must be given. */
const REQUIRED = /\{\{([A-Z_]+)\}\}/g;

/** `{{NAME}}` in the comment after a value, which is its default. */
const OPTIONAL = /^ \{\{([A-Z_]+)\}\}$/;

/** `--flag=` before a default: it stays. */
const FLAG = /^--[a-z-]+=/;

/** What messages call the file of a template. */
export const fileOf = (name: TemplateName): string => `k8s/${TEMPLATES[name]}`;

/** The text of a template. */
export function readTemplate(name: TemplateName): string {
  return readFileSync(`${TEMPLATE_DIRECTORY}${TEMPLATES[name]}`, 'utf8');
}

/** A run fills the same templates with the same values for each stage of each round. */
const filled = new Map<string, readonly KubernetesObject[]>();

/**
 * The objects of a template, filled in; they are the caller's, to change at will.
 *
 * @throws {UsageError} when a value is missing, or not what its placeholder takes
 */
export function fillTemplate(name: TemplateName, values: Values): KubernetesObject[] {
  checkValues(values);
  const own = [...placeholdersOf(name)].map((each) => values[each] ?? null);
  const key = JSON.stringify([name, own]);
  const objects = filled.get(key) ?? fillText(readTemplate(name), values, fileOf(name));
  filled.set(key, objects);
  return structuredClone([...objects]);
}

/** The same for a template's text; `file` is for messages. @throws {UsageError} when a value is missing */
export function fillText(text: string, values: Values, file: string): KubernetesObject[] {
  requireValues([{ file, text }], values);
  return parseAllDocuments(fillRequired(text, values, file)).map((document) => {
    const [problem] = document.errors;
    if (problem !== undefined) throw new UsageError(`${file}: ${problem.message.split('\n')[0]}`);
    visit(document, {
      Scalar(_key, scalar) {
        const placeholder = OPTIONAL.exec(scalar.comment ?? '')?.[1];
        if (placeholder === undefined) return;
        const value = values[known(placeholder, file)];
        if (value !== undefined) scalar.value = replaceDefault(scalar.value, value);
      },
    });
    return document.toJS() as KubernetesObject;
  });
}

/** Placeholders that a template's text holds, with the default that stands there. */
export function placeholdersIn(text: string): ReadonlyMap<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  for (const line of text.split('\n')) {
    const optional = /([^ =]+) # \{\{([A-Z_]+)\}\}$/.exec(line);
    if (optional) found.set(optional[2] as string, optional[1]?.replace(/^"(.*)"$/, '$1'));
    else for (const [, name] of line.matchAll(REQUIRED)) found.set(name as string, undefined);
  }
  return found;
}

const placeholdersByName = new Map<TemplateName, ReadonlySet<PlaceholderName>>();

/** The placeholders of a template. */
export function placeholdersOf(name: TemplateName): ReadonlySet<PlaceholderName> {
  const found =
    placeholdersByName.get(name) ??
    new Set([...placeholdersIn(readTemplate(name)).keys()].map((each) => known(each, fileOf(name))));
  placeholdersByName.set(name, found);
  return found;
}

/** @throws {UsageError} with all values that templates want and have not, and what gives them */
export function requireValues(
  templates: readonly { readonly file: string; readonly text: string }[],
  values: Values,
): void {
  const files = new Set<string>();
  const missing = new Set<PlaceholderName>();
  for (const { file, text } of templates) {
    for (const [name, preset] of placeholdersIn(text)) {
      const placeholder = known(name, file);
      if (preset !== undefined || values[placeholder] !== undefined) continue;
      files.add(file);
      missing.add(placeholder);
    }
  }
  if (missing.size === 0) return;
  const names = [...missing];
  const what = names.length === 1 ? 'a value' : 'values';
  const give = names.map((name) => {
    const { flag }: Placeholder = PLACEHOLDERS[name];
    return flag === undefined ? `--set ${name}=<value>` : `${flag} <value>`;
  });
  throw new UsageError(
    `${[...files].join(', ')}: expected ${what} for ${names.map((name) => `{{${name}}}`).join(', ')}, ` +
      `found none: add ${give.join(' ')}.`,
  );
}

/** As `sed` does it, before the text is YAML. */
function fillRequired(text: string, values: Values, file: string): string {
  const lines = text.split('\n').map((line) => {
    if (/# \{\{[A-Z_]+\}\}$/.test(line)) return line;
    return line.replace(REQUIRED, (all, name: string) => values[known(name, file)] ?? all);
  });
  return lines.join('\n');
}

/** A number stays a number where the value is one; `--flag=` stays before a value. */
function replaceDefault(current: unknown, value: string): unknown {
  if (typeof current === 'number') return /^\d+$/.test(value) ? Number(value) : value;
  return `${FLAG.exec(String(current))?.[0] ?? ''}${value}`;
}

function known(name: string, file: string): PlaceholderName {
  if (isPlaceholder(name)) return name;
  throw new UsageError(`${file}: there is no placeholder {{${name}}}.`);
}

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
