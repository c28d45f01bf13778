/** Fields of Kubernetes' kinds: finds those that a manifest has and Kubernetes does not know, and wrong types. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as client from '@kubernetes/client-node';

/** Each type's fields and their types, in the notation of client-node: `string`, `Array<V1Container>`, … */
export type KnownFields = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What Kubernetes 1.29 knows: see fixtures/make_kubernetes_fields.mjs. */
export function fieldsOf129(): KnownFields {
  const path = fileURLToPath(new URL('../../../k8s/fixtures/kubernetes-1.29.json', import.meta.url));
  return JSON.parse(readFileSync(path, 'utf8')) as KnownFields;
}

/** Custom resources by API version and kind, and the types of their fields: see fixtures/make_custom_fields.mjs. */
export function customFields(): KnownFields {
  const path = fileURLToPath(new URL('../../../k8s/fixtures/custom-resources.json', import.meta.url));
  return JSON.parse(readFileSync(path, 'utf8')) as KnownFields;
}

interface Model {
  getAttributeTypeMap(): readonly { readonly baseName: string; readonly type: string }[];
}

const isModel = (value: unknown): value is Model =>
  typeof value === 'function' && 'getAttributeTypeMap' in value;

/** What the Kubernetes of the installed client-node knows. */
export function newestFields(): KnownFields {
  const models = Object.entries(client).flatMap(([name, value]: [string, unknown]) => {
    if (!isModel(value)) return [];
    return [
      [name, Object.fromEntries(value.getAttributeTypeMap().map((each) => [each.baseName, each.type]))],
    ];
  });
  return Object.fromEntries(models) as KnownFields;
}

/** A sentence for each field of `value` that `type` does not have, or that is of another type. */
export function wrongFields(value: unknown, type: string, fields: KnownFields, at = ''): readonly string[] {
  if (value === null || value === undefined) return [`${at}: expected ${type}, found nothing`];
  const list = /^Array<(.+)>$/.exec(type)?.[1];
  if (list !== undefined) {
    if (!Array.isArray(value)) return [`${at}: expected a list, found ${typeof value}`];
    return value.flatMap((each: unknown, index) => wrongFields(each, list, fields, `${at}[${index}]`));
  }
  const entry = /^\{ \[key: string\]: (.+); \}$/.exec(type)?.[1];
  const known = fields[type];
  if (entry === undefined && known === undefined) return wrongScalar(value, type, at);
  if (typeof value !== 'object' || Array.isArray(value))
    return [`${at}: expected ${type}, found ${String(value)}`];
  return Object.entries(value).flatMap(([name, each]: [string, unknown]) => {
    const of = entry ?? known?.[name];
    if (of === undefined) return [`${at}.${name}: unknown field of ${type}`];
    return wrongFields(each, of, fields, `${at}.${name}`);
  });
}

function wrongScalar(value: unknown, type: string, at: string): readonly string[] {
  const types: Readonly<Record<string, readonly string[]>> = {
    string: ['string'],
    number: ['number'],
    boolean: ['boolean'],
    // Quantities are strings in the schema, and Kubernetes reads numbers too.
    IntOrString: ['number', 'string'],
    Date: ['string'],
    any: ['object', 'string', 'number', 'boolean'],
    object: ['object'],
  };
  const allowed = types[type];
  if (allowed === undefined) return [`${at}: the type ${type} is not known`];
  if (allowed.includes(typeof value) || isQuantity(value, at)) return [];
  return [`${at}: expected ${type}, found ${typeof value} ${String(value)}`];
}

/** `cpu: 1` and the like. */
const isQuantity = (value: unknown, at: string) =>
  typeof value === 'number' && /\.(requests|limits|capacity)\.[\w./-]+$|\.sizeLimit$/.test(at);
