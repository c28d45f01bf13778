/** Whether a Job that is there does what is asked for now: by hashes of the work, and of the pods that do it. */
import type { V1Container, V1PodSpec, V1PodTemplateSpec } from '@kubernetes/client-node';
import { sha256 } from '../../lib/formats/files/read-file.js';
import type { Labels } from './job-status.js';
import { POD_ANNOTATION, WORK_ANNOTATION } from './names.js';

/** The annotations of a Job of these pods; `work` tells what its programs are given beside their arguments. */
export function identitiesOf(
  template: V1PodTemplateSpec & { readonly spec: V1PodSpec },
  work: unknown,
): Labels {
  return {
    [WORK_ANNOTATION]: sha256(JSON.stringify([workOf(template.spec), work])),
    [POD_ANNOTATION]: sha256(JSON.stringify({ ...template, spec: withoutWatchers(template.spec) })),
  };
}

/** All containers of a pod, in the order in which they start. */
export const containersIn = ({ initContainers = [], containers }: V1PodSpec): readonly V1Container[] => [
  ...initContainers,
  ...containers,
];

/**
 * What the results of a pod depend on: its programs with their arguments, where on the claim they read and write, GPUs.
 * How often it is tried, how long it may take and how much room it has are changed without that finished work is done again.
 */
function workOf(pod: V1PodSpec): object {
  const programs = containersIn(withoutWatchers(pod)).map(
    ({ name, image, command, args, env, resources, volumeMounts }) => {
      const gpus = resources?.limits?.['nvidia.com/gpu'];
      return { name, image, command, args, env, gpus, volumeMounts };
    },
  );
  const claims = (pod.volumes ?? []).map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName);
  return { programs, claims: claims.filter((claim) => claim !== undefined) };
}

/** Variables by which programs tell of themselves. */
const WATCHING_ENV = /^FEDBATCH_(METRICS_PORT|METRICS_HOST|PUSHGATEWAY|RUN)$/;

/** A pod as it is where nobody watches. */
function withoutWatchers(pod: V1PodSpec): V1PodSpec {
  const unwatched = (container: V1Container): V1Container => ({
    ...container,
    env: (container.env ?? []).filter(({ name }) => !WATCHING_ENV.test(name)),
  });
  const { initContainers, containers } = pod;
  return {
    ...pod,
    ...(initContainers === undefined ? {} : { initContainers: initContainers.map(unwatched) }),
    containers: containers.map(unwatched),
  };
}
