/** The claim of the volume: what is there is left as it is; where nothing is, one is made if a storage class is named. */
import type { V1PersistentVolumeClaim } from '@kubernetes/client-node';
import { UsageError } from '../../lib/core/errors.js';
import { PLACEHOLDERS, type Values } from '../manifests/placeholders.js';
import { fillTemplate } from '../manifests/templates.js';
import type { JobContext } from './ensure-job.js';

/** The claim's name. @throws {UsageError} when there is none and nothing tells how to make it */
export async function ensureClaim(values: Values, { api, reporter }: JobContext): Promise<string> {
  const name = values.CLAIM ?? PLACEHOLDERS.CLAIM.default ?? 'fedbatch';
  const found = await api.findClaim(name);
  if (found?.status?.phase === 'Lost') {
    throw new UsageError(`The claim ${name} has lost its volume: delete it, and make it again.`);
  }
  if (found !== undefined) return name;
  if (values.STORAGE_CLASS === undefined) {
    throw new UsageError(
      `There is no claim ${name} in the namespace ${api.namespace} for the run's files: name a storage class that offers ` +
        'ReadWriteMany with --storage-class, or apply k8s/1-nfs-deployment.yaml to 3-nfs-pv-pvc.yaml.',
    );
  }
  const [claim] = fillTemplate('pvc', values);
  await api.applyClaim(claim as unknown as V1PersistentVolumeClaim);
  reporter.info(`Made the claim ${name} of the storage class ${values.STORAGE_CLASS}.`);
  return name;
}
