/** What a Job's pod failure policy makes of a failed pod. */
import type { KubeObject } from './objects.js';

interface FailureRule {
  readonly action: string;
  readonly onExitCodes?: {
    readonly containerName?: string;
    readonly operator: string;
    readonly values: readonly number[];
  };
  readonly onPodConditions?: readonly { readonly type: string; readonly status?: string }[];
}

/** The first rule that fits a failed pod; a pod that fits none counts. */
export function policyFor(
  policy: { readonly rules: readonly FailureRule[] } | undefined,
  { status, metadata }: KubeObject,
): { readonly action: string; readonly why: string } {
  const ended = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].filter(
    ({ state }) => state?.terminated !== undefined && state.terminated.exitCode !== 0,
  );
  for (const [at, { action, onExitCodes, onPodConditions }] of (policy?.rules ?? []).entries()) {
    const container = ended.find(({ name, state }) => {
      if (onExitCodes === undefined || (onExitCodes.containerName ?? name) !== name) return false;
      return onExitCodes.values.includes(state.terminated.exitCode) === (onExitCodes.operator === 'In');
    });
    const condition = onPodConditions?.find(({ type, status: wanted = 'True' }) =>
      (status.conditions ?? []).some(
        (each: { type: string; status: string }) => each.type === type && each.status === wanted,
      ),
    );
    if (container === undefined && condition === undefined) continue;
    const pod = `${metadata.namespace}/${metadata.name}`;
    const why =
      container === undefined
        ? `Pod ${pod} has condition ${condition?.type} matching ${action} rule at index ${at}`
        : `Container ${container.name} for pod ${pod} failed with exit code ${container.state.terminated.exitCode} matching ${action} rule at index ${at}`;
    return { action, why };
  }
  return { action: 'Count', why: '' };
}
