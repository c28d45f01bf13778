/** What the pods of a job see of the claim: a trainer its own alone, an aggregator no shards. */

import { relative } from 'node:path';
import type { V1Container, V1Job, V1VolumeMount } from '@kubernetes/client-node';
import type { RoundPaths, VolumePaths } from '../../lib/formats/volume.js';
import type { Values } from './placeholders.js';
import { containerOf, inImage } from './stages.js';
import { fillTemplate } from './templates.js';

/** Where the claim lies in the containers. */
export const MOUNT = '/mnt';

/** What Kubernetes puts the completion index of a pod for. */
const INDEX = '$(JOB_COMPLETION_INDEX)';

type Mounting = Pick<V1Container, 'volumeMounts'>;

const onClaim = (path: string): string => relative(MOUNT, path);

/** Has each trainer of a round see its own place as the run's volume, and write to that of its update alone. */
export function seeOwn(job: V1Job, files: RoundPaths, paths: VolumePaths): void {
  mount(containerOf(job), [
    { name: 'volume', mountPath: paths.root, subPathExpr: onClaim(files.place(INDEX)), readOnly: true },
    { name: 'volume', mountPath: files.updates, subPathExpr: onClaim(files.ownUpdates(INDEX)) },
  ]);
}

/** Has a container see the run's directory alone, and of its data the manifest. */
export function seeNoShards(container: Mounting, paths: VolumePaths): void {
  const directory = onClaim(paths.root);
  mount(container, [
    { name: 'volume', mountPath: paths.root, ...(directory === '' ? {} : { subPath: directory }) },
    { name: 'tmp', mountPath: paths.data, subPath: 'no-data' },
    { name: 'volume', mountPath: paths.manifest, subPath: onClaim(paths.manifest), readOnly: true },
  ]);
}

/** In place of the whole claim. */
function mount(container: Mounting, mounts: readonly V1VolumeMount[]): void {
  const others = (container.volumeMounts ?? []).filter(({ name }) => name !== 'volume');
  container.volumeMounts = [...mounts, ...others];
}

/** A container of the recorder, which mounts the whole claim, for the pod of another stage; the caller's own. */
export function recorderContainer(name: string, args: readonly string[], values: Values): V1Container {
  const job = fillTemplate('pipeline', values).find(({ kind }) => kind === 'Job') as V1Job | undefined;
  if (job === undefined) throw new Error('the template of the pipeline makes no Job');
  const container = containerOf(job);
  return {
    ...container,
    name,
    command: [...inImage('pipeline/record/cli.js')],
    args: [...args],
    env: (container.env ?? []).filter((each) => each.name.startsWith('FEDBATCH_')),
    volumeMounts: [
      { name: 'volume', mountPath: MOUNT },
      { name: 'tmp', mountPath: '/tmp' },
    ],
  };
}
