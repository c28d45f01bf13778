/** Finds the cluster: a kubeconfig, or the service account of the pod that this runs in. */
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';
import { UsageError } from '../../lib/federation/errors.js';

/** Where the user wants to go; what is left out is as the kubeconfig says. */
export interface Destination {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Of the pod that this runs in. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Credentials and where they lead. */
export interface Connection {
  readonly config: KubeConfig;
  readonly namespace: string;
  /** The API server's address. */
  readonly server: string;
}

/** @throws {UsageError} when nothing tells of a cluster */
export async function findCluster({ kubeconfig, context, namespace }: Destination): Promise<Connection> {
  const path = kubeconfig ?? kubeconfigPath();
  if (path === undefined && !existsSync(join(SERVICE_ACCOUNT, 'token'))) {
    throw new UsageError(
      'Expected a Kubernetes cluster to run on, found no kubeconfig: set KUBECONFIG, give --kubeconfig, or put one at ' +
        '~/.kube/config. (fedbatch run does the same job on this machine.)',
    );
  }
  // Takes about a second: only who talks to a cluster pays for it.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
    if (context !== undefined) requireContext(config, context);
  } catch (cause) {
    if (cause instanceof UsageError) throw cause;
    const why = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new UsageError(`The kubeconfig ${path} cannot be read: ${why}.`, { cause });
  }
  const cluster = config.getCurrentCluster();
  if (!cluster) {
    const names = config.getContexts().map((each) => each.name);
    throw new UsageError(
      `The kubeconfig ${path} has no current context: choose one with --context (${names.join(', ') || 'it holds none'}).`,
    );
  }
  const own = config.getContextObject(config.getCurrentContext())?.namespace;
  return { config, namespace: namespace ?? own ?? 'default', server: cluster.server };
}

function requireContext(config: KubeConfig, context: string): void {
  const names = config.getContexts().map(({ name }) => name);
  if (!names.includes(context)) {
    throw new UsageError(`The kubeconfig has no context ${context}; it has ${names.join(', ') || 'none'}.`);
  }
  config.setCurrentContext(context);
}

/** The first file that kubectl would read; undefined where there is none. */
function kubeconfigPath(): string | undefined {
  const given = (process.env.KUBECONFIG ?? '').split(delimiter).find((path) => path !== '');
  if (given !== undefined) {
    if (existsSync(given)) return given;
    throw new UsageError(`KUBECONFIG names ${given}, which does not exist.`);
  }
  const usual = join(homedir(), '.kube', 'config');
  return existsSync(usual) ? usual : undefined;
}
