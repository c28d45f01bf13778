/** The controllers beside that of Jobs, as far as fedbatch's manifests need them: volumes, services, deployments. */
import { type KubeObject, kindNamed } from './objects.js';
import type { Store } from './store.js';

/** Binds claims, gives services their addresses, makes the pods of deployments; the result stops it. */
export function startOtherControllers(
  store: Store,
  { brokenStorageClasses }: { readonly brokenStorageClasses: readonly string[] },
): () => void {
  let services = 0;
  const bind = (claim: KubeObject) => {
    if (claim.status?.phase === 'Bound' || brokenStorageClasses.includes(claim.spec?.storageClassName))
      return;
    store.change(claim, (current) => {
      current.status = { ...current.status, phase: 'Bound' };
    });
  };
  const address = (service: KubeObject) => {
    if (service.spec.clusterIP !== undefined) return;
    services++;
    store.change(service, (current) => {
      current.spec.clusterIP = `10.96.0.${9 + services}`;
    });
  };
  const scale = (deployment: KubeObject) => {
    const { name, namespace = '', uid = '' } = deployment.metadata;
    const pods = store
      .list(kindNamed('Pod'), namespace)
      .filter(({ metadata }) => metadata.ownerReferences?.some((owner) => owner.uid === uid));
    for (let index = pods.length; index < (deployment.spec.replicas ?? 1); index++) {
      store.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...deployment.spec.template.metadata,
          name: `${name}-${uid.slice(0, 8)}-${index}`,
          namespace,
          ownerReferences: [{ kind: 'Deployment', name, uid }],
        },
        spec: deployment.spec.template.spec,
        status: { phase: 'Pending' },
      });
    }
    const available = pods.filter(({ status }) => status?.phase === 'Running').length;
    store.change(deployment, (current) => {
      const isAvailable = available >= (current.spec.replicas ?? 1);
      current.status = {
        replicas: pods.length,
        availableReplicas: available,
        conditions: [{ type: 'Available', status: isAvailable ? 'True' : 'False' }],
      };
    });
  };
  const ownerOf = ({ metadata }: KubeObject): KubeObject | undefined => {
    const owner = metadata.ownerReferences?.find(({ kind }) => kind === 'Deployment');
    return owner && store.find(kindNamed('Deployment'), metadata.namespace, owner.name);
  };
  return store.subscribe(({ type, resource, object }) => {
    if (type === 'DELETED') return;
    const { kind } = resource;
    const deployment = kind === 'Deployment' ? object : kind === 'Pod' ? ownerOf(object) : undefined;
    setImmediate(() => {
      if (kind === 'PersistentVolumeClaim') bind(object);
      if (kind === 'Service') address(object);
      if (deployment !== undefined) scale(deployment);
    });
  });
}
