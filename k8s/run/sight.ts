/** What the pods of a run see of the claim: a trainer its own alone, an aggregator no shards. */

import { relative } from 'node:path';
import type { V1Container, V1Job, V1VolumeMount } from '@kubernetes/client-node';
import type { RoundPaths, VolumePaths } from '../../lib/formats/volume.js';
import { containerOf } from '../manifests/stages.js';

/** Where the claim lies in the containers. */
export const MOUNT = '/mnt';

/** What Kubernetes puts the completion index of a pod for. */
const INDEX = '$(JOB_COMPLETION_INDEX)';

const onClaim = (path: string): string => relative(MOUNT, path);

/** Has each trainer of a round see its own place as the run's volume, and write to that of its update alone. */
export function seeOwn(job: V1Job, files: RoundPaths, paths: VolumePaths): void {
  mount(containerOf(job), [
    { name: 'volume', mountPath: paths.root, subPathExpr: onClaim(files.place(INDEX)), readOnly: true },
    { name: 'volume', mountPath: files.updates, subPathExpr: onClaim(files.ownUpdates(INDEX)) },
  ]);
}

/** Has a container see the run's directory alone, and of its data the manifest. */
export function seeNoShards(container: V1Container, paths: VolumePaths): void {
  mount(container, [
    { name: 'volume', mountPath: paths.root, subPath: onClaim(paths.root) },
    { name: 'tmp', mountPath: paths.data, subPath: 'no-data' },
    { name: 'volume', mountPath: paths.manifest, subPath: onClaim(paths.manifest), readOnly: true },
  ]);
}

/** In place of the whole claim. */
function mount(container: V1Container, mounts: readonly V1VolumeMount[]): void {
  const others = (container.volumeMounts ?? []).filter(({ name }) => name !== 'volume');
  container.volumeMounts = [...mounts, ...others];
}
