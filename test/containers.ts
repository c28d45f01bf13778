/** Runs the stages as a cluster does, without one: by podman, hardened or from the Jobs' own pod templates. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { V1PodTemplateSpec } from '@kubernetes/client-node';
import { execa } from 'execa';
import { createSlots } from '../lib/system/slots.js';

/** How a container ended. */
export interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Where podman's containers find their files. */
export interface Place {
  /** The shared directory: /mnt in the containers. */
  readonly volume: string;
  /** For files that podman is given. */
  readonly scratch: string;
}

/** Runs podman; a failure is a result, not an exception. */
export async function podman(...args: readonly string[]): Promise<Ended> {
  const { exitCode = -1, stdout, stderr } = await execa('podman', args, { reject: false });
  return { exitCode, stdout, stderr };
}

/** Runs podman. @throws where it fails */
export async function podmanOrThrow(...args: readonly string[]): Promise<string> {
  return (await execa('podman', args)).stdout;
}

/** What the templates ask of a cluster, asked of podman: no rights, no network, nothing writable but the volume and /tmp. */
export const hardened = ({ volume }: Place): readonly string[] => [
  ...['--user', '10001:10001', '--read-only', '--tmpfs', '/tmp:rw,size=64m,mode=1777'],
  ...['--cap-drop', 'all', '--security-opt', 'no-new-privileges', '--net', 'none'],
  ...['--memory', '1g', '--cpus', '1', '--pids-limit', '128', '--volume', `${volume}:/mnt`],
];

/** A pod that runs by itself, e.g. one index of a Job. */
interface PodOptions {
  readonly name: string;
  readonly template: V1PodTemplateSpec;
  /** What the Job controller adds. */
  readonly completionIndex?: number;
}

/** podman makes the volume of an emptyDir by its name, and fails where two pods ask for the same one at once. */
const starts = createSlots(1);

/**
 * Starts the pod of a Job or Deployment, as the template says, on a volume named by its claim.
 *
 * @returns the name of its one container
 */
export async function startPod(
  { name, template, completionIndex }: PodOptions,
  place: Place,
): Promise<string> {
  const { metadata, spec } = structuredClone(template);
  const [container] = spec?.containers ?? [];
  if (spec === undefined || container === undefined) throw new Error(`the pod ${name} has no container`);
  if (completionIndex !== undefined) {
    const index = { name: 'JOB_COMPLETION_INDEX', value: `${completionIndex}` };
    container.env = [...(container.env ?? []), index];
  }
  // Without a network podman has nowhere to publish ports, and its probes would need a shell and curl in the image.
  for (const key of ['ports', 'startupProbe', 'readinessProbe', 'livenessProbe'] as const)
    delete container[key];
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name, labels: metadata?.labels ?? {} }, spec };
  const file = join(place.scratch, `${name}.json`);
  await writeFile(file, JSON.stringify(pod));
  await starts.use(() => podmanOrThrow('play', 'kube', '--network', 'none', file));
  return `${name}-${container.name}`;
}

/** Waits for a pod's container to end, and removes the pod. */
export async function endOfPod(name: string, container: string): Promise<Ended> {
  await podmanOrThrow('wait', container);
  const exitCode = Number(await podmanOrThrow('inspect', container, '--format', '{{.State.ExitCode}}'));
  const { stdout, stderr } = await podman('logs', container);
  await podman('pod', 'rm', '--force', name);
  return { exitCode, stdout, stderr };
}
