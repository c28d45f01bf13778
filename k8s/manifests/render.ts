/** Renders templates: the objects that a cluster is given, with every placeholder filled in. */
import { UsageError } from '../../lib/core/errors.js';
import type { Values } from './placeholders.js';
import { QUEUE_LABEL } from './stages.js';
import {
  fileOf,
  fillTemplate,
  type KubernetesObject,
  readTemplate,
  requireValues,
  TEMPLATE_NAMES,
  TEMPLATES,
  type TemplateName,
} from './templates.js';

/** What to render. */
interface RenderOptions {
  readonly templates: readonly TemplateName[];
  readonly values: Values;
  /** Put on every object that belongs to a namespace; else they go where kubectl points. */
  readonly namespace?: string | undefined;
  /** Kueue's local queue that the Jobs wait in. */
  readonly queue?: string | undefined;
}

/** One template, filled in. */
interface Rendered {
  /** The template's file name. */
  readonly file: string;
  readonly objects: readonly KubernetesObject[];
}

/** Kinds that belong to no namespace. */
const CLUSTER_KINDS = new Set(['PersistentVolume']);

/** @throws {UsageError} when a value is missing, or not what its placeholder takes */
export function render({ templates, values, namespace, queue }: RenderOptions): readonly Rendered[] {
  requireValues(
    templates.map((name) => ({ file: fileOf(name), text: readTemplate(name) })),
    values,
  );
  return templates.map((name) => {
    const objects = fillTemplate(name, values);
    for (const object of objects) {
      const { kind, metadata } = object;
      if (namespace !== undefined && !CLUSTER_KINDS.has(kind)) metadata.namespace = namespace;
      if (queue !== undefined && kind === 'Job')
        metadata.labels = { ...metadata.labels, [QUEUE_LABEL]: queue };
    }
    return { file: TEMPLATES[name], objects };
  });
}

/** `5-trainer.yaml`, `5-trainer` or `trainer`. @throws {UsageError} when there is none of that name */
export function templateNamed(text: string): TemplateName {
  const name = TEMPLATE_NAMES.find((each) =>
    [each, TEMPLATES[each], TEMPLATES[each].replace('.yaml', '')].includes(text),
  );
  if (name !== undefined) return name;
  throw new UsageError(`There is no template ${text}; there are ${TEMPLATE_NAMES.join(', ')}.`);
}

/** The templates of a whole job: the NFS server where its address is told, else a claim; the ingress where it has a name. */
export function templatesOfAJob(values: Values): readonly TemplateName[] {
  const storage: readonly TemplateName[] =
    values.NFS_CLUSTER_IP === undefined ? ['pvc'] : ['nfs-deployment', 'nfs-service', 'nfs-pv-pvc'];
  const job: readonly TemplateName[] = [
    ...storage,
    'network-policy',
    'splitter',
    'trainer',
    'aggregator',
    'accuracy-test',
    'server',
    ...(values.INGRESS_HOST === undefined ? [] : (['ingress'] as const)),
  ];
  return TEMPLATE_NAMES.filter((name) => job.includes(name));
}
