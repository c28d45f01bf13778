/** Where the volumes of a pod lie on this machine. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mounts, replacePaths } from './container-process.js';
import { type KubeObject, kindNamed } from './objects.js';
import type { Store } from './store.js';

/** What tells where they are. */
export interface VolumeContext {
  readonly store: Store;
  readonly directory: string;
  /** Directory of a claim. */
  readonly claim: (name: string) => string;
}

/** Makes the pod's own volumes and fills those of ConfigMaps. */
export function mountsOf(pod: KubeObject, { store, directory, claim }: VolumeContext): Mounts {
  const places = new Map<string, string>();
  const { volumes = [], initContainers = [], containers } = pod.spec;
  for (const { name, persistentVolumeClaim } of volumes) {
    const own = join(directory, 'pods', `${pod.metadata.uid}`, 'volumes', name);
    if (persistentVolumeClaim === undefined) mkdirSync(own, { recursive: true });
    places.set(name, persistentVolumeClaim === undefined ? own : claim(persistentVolumeClaim.claimName));
  }
  // Files speak of paths as containers see them.
  const seen = new Map<string, string>();
  for (const { volumeMounts = [] } of [...initContainers, ...containers]) {
    for (const { name, mountPath } of volumeMounts) seen.set(mountPath, places.get(name) ?? '');
  }
  for (const { name, configMap } of volumes) {
    if (configMap === undefined) continue;
    const { data = {} } = store.get(kindNamed('ConfigMap'), pod.metadata.namespace, configMap.name);
    for (const [file, text] of Object.entries(data)) {
      writeFileSync(join(places.get(name) ?? '', file), replacePaths(String(text), seen));
    }
  }
  return places;
}
