/** A stand-in for kubectl, for the commands of the README: apply, get with a jsonpath, wait, logs. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  PatchStrategy,
} from '@kubernetes/client-node';
import { parseAllDocuments } from 'yaml';

const config = new KubeConfig();
config.loadFromDefault();
const namespace = config.getContextObject(config.getCurrentContext())?.namespace ?? 'default';
const api = KubernetesObjectApi.makeApiClient(config);
const [verb, ...given] = process.argv.slice(2);

/** Kinds by the names that users type. */
const KINDS: Readonly<Record<string, { readonly kind: string; readonly apiVersion: string }>> = {
  service: { kind: 'Service', apiVersion: 'v1' },
  job: { kind: 'Job', apiVersion: 'batch/v1' },
  pod: { kind: 'Pod', apiVersion: 'v1' },
};

/** Values of `-f x`, `--for=x` and `--output x`. */
function option(...names: readonly string[]): readonly string[] {
  return given.flatMap((word, at) => {
    if (names.includes(word)) return [given[at + 1] ?? ''];
    const [name, value] = word.split(/=(.*)/s);
    return names.includes(name ?? '') && value !== undefined ? [value] : [];
  });
}

async function apply(): Promise<void> {
  for (const file of option('-f', '--filename')) {
    const text = readFileSync(file === '-' ? 0 : file, 'utf8');
    for (const document of parseAllDocuments(text)) {
      const object = document.toJS() as KubernetesObject;
      object.metadata = { ...object.metadata };
      if (object.kind !== 'PersistentVolume') object.metadata.namespace ??= namespace;
      await api.patch(object, undefined, undefined, 'kubectl', true, PatchStrategy.ServerSideApply);
      console.log(`${object.kind?.toLowerCase()}/${object.metadata.name} serverside-applied`);
    }
  }
}

function named(text: string | undefined, name?: string) {
  const [kind = '', own = name] = (text ?? '').split('/');
  const known = KINDS[kind];
  if (known === undefined || own === undefined) throw new Error(`no such resource: ${text}`);
  return { ...known, metadata: { name: own, namespace } };
}

async function read(header: ReturnType<typeof named>): Promise<Readonly<Record<string, unknown>>> {
  return (await api.read(header)) as unknown as Readonly<Record<string, unknown>>;
}

async function get(): Promise<void> {
  const [kind, name] = given;
  const object = await read(named(kind, name));
  const path = /^jsonpath=\{\.(.+)\}$/.exec(option('-o', '--output')[0] ?? '')?.[1] ?? 'metadata.name';
  const value = path
    .split('.')
    .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);
  process.stdout.write(String(value ?? ''));
}

async function wait(): Promise<void> {
  const [, wanted = ''] = /^condition=(\w+)$/.exec(option('--for')[0] ?? '') ?? [];
  const target = given.find((word) => word.includes('/') && !word.startsWith('-'));
  for (;;) {
    const { status } = await read(named(target));
    const conditions =
      (status as { conditions?: { type: string; status: string; message?: string }[] } | undefined)
        ?.conditions ?? [];
    const holds = (type: string) =>
      conditions.find((each) => each.type.toLowerCase() === type.toLowerCase() && each.status === 'True');
    if (holds(wanted) !== undefined) return console.log(`${target} condition met`);
    // kubectl would wait for its timeout; a test knows better.
    const failed = holds('Failed');
    if (failed !== undefined) throw new Error(`${target} failed: ${failed.message}`);
    await sleep(200);
  }
}

const commands: Readonly<Record<string, () => Promise<void>>> = { apply, get, wait };
const command = commands[verb ?? ''];
if (command === undefined) throw new Error(`kubectl ${verb}: this stand-in does not know it`);
await command();
