/** Kubeconfigs for tests, and an API server by TLS that remembers who asked it last. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { type Destination, findCluster } from '../../k8s/connection/connect.js';
import { clusterApi } from '../../k8s/run/cluster-api.js';
import { isFedbatchError } from '../../lib/core/errors.js';
import { forMany } from '../../lib/system/abort.js';
import { projectRoot } from '../sources.js';
import { sharedDirectory, temporaryDirectory } from '../temporary-directory.js';
import { type FakeCluster, startCluster } from './cluster.js';
import { keepingReporter } from './played-programs.js';

const pem = (name: string) => readFileSync(join(projectRoot, 'server', 'testing', 'tls', `${name}.pem`));

/** The server's own, which pass for a client's, too. */
export const TLS = { key: pem('server-key'), cert: pem('server'), ca: pem('ca') };

/** As kubeconfigs hold files. */
export const base64 = (bytes: Buffer | string): string => Buffer.from(bytes).toString('base64');

/** The field by which a server of {@link TLS} is trusted. */
export const CA = { 'certificate-authority-data': base64(TLS.ca) };

/** Who asked. */
interface Asker {
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  /** Subject of a certificate that the server trusts. */
  readonly certificate: string | undefined;
}

/** A cluster that speaks TLS. */
export interface SecureCluster extends FakeCluster {
  /** Of the newest request. */
  readonly asker: () => Asker;
  /** From now on asks of every request whether it is let in. */
  admit(isAdmitted: (asker: Asker) => boolean): void;
}

/** Starts a cluster that lives as long as test `t`. */
export async function startSecureCluster(t: Pick<TestContext, 'after'>): Promise<SecureCluster> {
  let isAdmitted: (asker: Asker) => boolean = () => true;
  let newest: Asker = { headers: {}, rawHeaders: [], certificate: undefined };
  const authenticate = ({ headers, rawHeaders, socket }: IncomingMessage) => {
    const { authorized } = socket as TLSSocket;
    const subject = authorized ? (socket as TLSSocket).getPeerCertificate().subject : undefined;
    newest = { headers, rawHeaders, certificate: subject && String(subject.CN) };
    return isAdmitted(newest);
  };
  const cluster = await startCluster(t, { directory: sharedDirectory(), tls: TLS, authenticate });
  return {
    ...cluster,
    asker: () => newest,
    admit: (judge) => {
      isAdmitted = judge;
    },
  };
}

/** Parts of a kubeconfig that differ from the usual. */
export interface Parts {
  readonly cluster?: object;
  readonly user?: object;
  readonly context?: object;
  readonly more?: object;
}

/** A kubeconfig with one context, as JSON, which is YAML. */
export function kubeconfigText(
  server: string,
  { cluster = CA, user = { token: 'secret' }, context = {}, more = {} }: Parts = {},
): string {
  return JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Config', preferences: {}, 'current-context': 'work' },
    clusters: [{ name: 'office', cluster: { server, ...cluster } }],
    users: [{ name: 'ada', user }],
    contexts: [{ name: 'work', context: { cluster: 'office', user: 'ada', ...context } }],
    ...more,
  });
}

/** Writes a kubeconfig into a directory of its own; its path. */
export async function writeKubeconfig(t: TestContext, text: string, name = 'config'): Promise<string> {
  const path = join(await temporaryDirectory(t), name);
  writeFileSync(path, text);
  return path;
}

/** Asks for the Jobs, once: them or the expected failure, and what was told on the way. */
export async function askCluster(destination: Destination, more?: Parameters<typeof findCluster>[1]) {
  const connection = await findCluster(destination, more);
  const reporter = keepingReporter();
  const { lines } = reporter;
  const api = await clusterApi(connection, { signal: forMany(new AbortController().signal), reporter });
  try {
    const { items } = await api.listJobs({});
    return { ...connection, items, lines, error: undefined };
  } catch (error) {
    if (!isFedbatchError(error)) throw error;
    return { ...connection, items: undefined, lines, error };
  }
}

/** Asks for the version, by connections that stay as they are. */
export async function askVersion({ transport, server }: Awaited<ReturnType<typeof findCluster>>) {
  const answer = await transport.send({ url: new URL(`${server}/version`) });
  answer.resume();
  return answer.statusCode;
}

/** The version of the protocol between kubectl and plugins. */
const PLUGIN_API = 'client.authentication.k8s.io/v1';

/** A user whose credentials a program gives. */
export const byPlugin = (fields: object): object => ({
  exec: { apiVersion: PLUGIN_API, interactiveMode: 'Never', ...fields },
});

/** A program of these lines of JavaScript, as `login` in a directory of its own; its path. */
export async function writePlugin(t: TestContext, lines: string): Promise<string> {
  const path = join(await temporaryDirectory(t), 'bin', 'login');
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!${process.execPath}\n${lines}`);
  chmodSync(path, 0o755);
  return path;
}

/** Lines that give credentials: the status of an ExecCredential, as an expression. */
export const giving = (status: string): string =>
  `console.log(JSON.stringify({ apiVersion: '${PLUGIN_API}', kind: 'ExecCredential', status: ${status} }));`;

/** Has a server listen as long as test `t` lives; its port. */
export async function listen(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
