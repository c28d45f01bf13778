/** Asks a program for credentials, by the protocol of client.authentication.k8s.io. */
import { execa } from 'execa';
import { z } from 'zod';
import { UsageError } from '../../lib/core/errors.js';
import { errorCode } from '../../lib/core/system-errors.js';
import type { ClusterAccess } from './access.js';
import type { ExecPlugin } from './kubeconfig.js';

const statusSchema = z.object({
  expirationTimestamp: z.string().nullish(),
  token: z.string().nullish(),
  clientCertificateData: z.string().nullish(),
  clientKeyData: z.string().nullish(),
});

/** What a program gave. */
export interface PluginCredential {
  readonly token?: string | undefined;
  /** PEM. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** Infinity where it does not say. */
  readonly validUntilMs: number;
}

/** Runs the program; it may ask the user something on the terminal. @throws {UsageError} when it gives nothing */
export async function askPlugin(
  plugin: ExecPlugin,
  { cluster, source }: { readonly cluster: ClusterAccess; readonly source: string },
): Promise<PluginCredential> {
  const { command, args, env, apiVersion, installHint, interactiveMode = 'IfAvailable' } = plugin;
  const asks = `The kubeconfig ${source} asks the program ${command} for credentials`;
  const isTerminal = process.stdin.isTTY === true;
  if (interactiveMode === 'Always' && !isTerminal) {
    throw new UsageError(`${asks}, and that one wants a terminal (interactiveMode: Always).`);
  }
  const interactive = isTerminal && interactiveMode !== 'Never';
  const spec = { interactive, ...(plugin.provideClusterInfo ? { cluster: infoOf(cluster) } : {}) };
  const info = JSON.stringify({ kind: 'ExecCredential', apiVersion, spec });
  const { failed, exitCode, signal, cause, stdout, stderr } = await execa(command, args, {
    env: {
      ...Object.fromEntries(env.map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: info,
    },
    reject: false,
    stdin: interactive ? 'inherit' : 'ignore',
    stderr: interactive ? ['inherit', 'pipe'] : 'pipe',
  });
  if (failed) {
    const hint = installHint === undefined ? '' : ` ${installHint.trim()}`;
    if (errorCode(cause) === 'ENOENT') {
      throw new UsageError(
        `${asks}, and there is no such program: install it, or choose another --context.${hint}`,
        { cause },
      );
    }
    const how =
      exitCode === undefined ? (signal ?? errorCode(cause) ?? 'did not start') : `exit code ${exitCode}`;
    const words = stderr.trim().split('\n').at(-1) ?? '';
    throw new UsageError(
      `${asks}, and it failed (${how})${words === '' ? '' : `: ${words.replace(/\.$/, '')}`}.`,
      { cause },
    );
  }
  const answer = z
    .object({ apiVersion: z.literal(apiVersion), kind: z.literal('ExecCredential'), status: statusSchema })
    .safeParse(parse(stdout));
  const { token, clientCertificateData, clientKeyData, expirationTimestamp } = answer.data?.status ?? {};
  if (!token && !(clientCertificateData && clientKeyData)) {
    throw new UsageError(
      `${asks}: expected an ExecCredential of ${apiVersion} with a token or a certificate, found something else.`,
    );
  }
  return {
    token: token || undefined,
    cert: clientCertificateData || undefined,
    key: clientKeyData || undefined,
    validUntilMs: expirationTimestamp ? Date.parse(expirationTimestamp) : Number.POSITIVE_INFINITY,
  };
}

function infoOf({ server, ca, skipsVerify, tlsServerName, proxyUrl, pluginConfig }: ClusterAccess): object {
  return {
    server,
    ...(tlsServerName === undefined ? {} : { 'tls-server-name': tlsServerName }),
    ...(skipsVerify ? { 'insecure-skip-tls-verify': true } : {}),
    ...(ca === undefined ? {} : { 'certificate-authority-data': ca.toString('base64') }),
    ...(proxyUrl === undefined ? {} : { 'proxy-url': proxyUrl }),
    config: pluginConfig ?? null,
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
