/** Finds the cluster: a kubeconfig, or the service account of the pod that this runs in. */
import { existsSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { UsageError } from '../../lib/core/errors.js';
import { accessOf, type KubeAccess } from './access.js';
import { readKubeconfigs } from './kubeconfig.js';
import { createTransport, type Transport } from './transport.js';

/** Where the user wants to go; what is left out is as the kubeconfig says. */
export interface Destination {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Of the pod that this runs in. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** A cluster that can be asked. */
export interface Connection {
  readonly transport: Transport;
  readonly namespace: string;
  /** The API server's address. */
  readonly server: string;
  /** Whether this runs in one of the cluster's own pods: its network may need a while to be there. */
  readonly isInside: boolean;
}

/** @throws {UsageError} when nothing tells of a cluster, or what does cannot be followed */
export async function findCluster(
  { kubeconfig, context, namespace }: Destination,
  { serviceAccount = SERVICE_ACCOUNT }: { readonly serviceAccount?: string } = {},
): Promise<Connection> {
  const given = (process.env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '');
  const usual = given.length > 0 ? given : [join(homedir(), '.kube', 'config')];
  const paths = kubeconfig === undefined ? usual : [kubeconfig];
  const config = readKubeconfigs(paths);
  const isInside =
    kubeconfig === undefined && config.contexts.size === 0 && existsSync(join(serviceAccount, 'token'));
  if (!isInside && config.files.length === 0) throw nothingThere(paths, { kubeconfig, given });
  const access = isInside ? accessOfPod(serviceAccount) : accessOf(config, context);
  const transport = createTransport(access);
  await transport.prepare();
  return {
    ...{ transport, isInside, server: access.cluster.server },
    namespace: namespace ?? access.namespace ?? 'default',
  };
}

function nothingThere(
  paths: readonly string[],
  { kubeconfig, given }: { readonly kubeconfig: string | undefined; readonly given: readonly string[] },
): UsageError {
  const found = existing(paths);
  if (found.length > 0)
    return new UsageError(`The kubeconfig ${found.join(', ')} is empty: expected contexts in it.`);
  if (kubeconfig !== undefined) return new UsageError(`The kubeconfig ${kubeconfig} does not exist.`);
  if (given.length > 0) {
    return new UsageError(`KUBECONFIG names ${given.join(', ')}: expected a kubeconfig, found no such file.`);
  }
  return new UsageError(
    'Expected a Kubernetes cluster to run on, found no kubeconfig: set KUBECONFIG, give --kubeconfig, or put one at ' +
      '~/.kube/config. (npx fedbatch run does the same job on this machine.)',
  );
}

const existing = (paths: readonly string[]): readonly string[] => paths.filter((path) => existsSync(path));

/** What Kubernetes gives each pod that may talk to it; its token is renewed in place. */
function accessOfPod(serviceAccount: string): KubeAccess {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = process.env;
  const namespace = join(serviceAccount, 'namespace');
  return {
    cluster: {
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      ca: readFileSync(join(serviceAccount, 'ca.crt')),
      skipsVerify: false,
    },
    user: { tokenFile: join(serviceAccount, 'token'), impersonation: {} },
    namespace: existsSync(namespace) ? readFileSync(namespace, 'utf8').trim() : undefined,
    source: `the service account in ${serviceAccount}`,
  };
}
