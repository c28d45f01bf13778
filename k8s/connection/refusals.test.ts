/** What of a kubeconfig leads nowhere, and what answers there and is no API server, is told by its name and with exit code 2. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { InterruptedError, UsageError } from '../../lib/core/errors.js';
import { startCluster } from '../../test/kube/cluster.js';
import {
  askCluster,
  base64,
  byPlugin,
  CA,
  kubeconfigText,
  listen,
  type Parts,
  TLS,
  writeKubeconfig,
  writePlugin,
} from '../../test/kube/kubeconfigs.js';
import { keepingReporter } from '../../test/kube/played-programs.js';
import { kube } from '../../test/kube/runs.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { clusterApi } from '../run/cluster-api.js';
import { findCluster } from './connect.js';

/** Nothing of it is asked. */
const server = 'https://127.0.0.1:1';
const asks = async (t: TestContext, parts: Parts) =>
  askCluster({ kubeconfig: await writeKubeconfig(t, kubeconfigText(server, parts)) });

test('what leads nowhere, contradicts itself or is not supported is refused by its name', async (t) => {
  const cases: readonly (readonly [Parts, RegExp])[] = [
    [
      { more: { 'current-context': '' } },
      /has no current context: choose one with --context \(it has work\)/,
    ],
    [{ more: { 'current-context': 'home' } }, /does not hold its current context home; it has work/],
    [{ context: { cluster: 'castle' } }, /The context work in \S+ names the cluster castle, which no/],
    [{ context: { user: 'bob' } }, /The context work in \S+ names the user bob, which no/],
    [{ more: { kind: 'Pod' } }, /cannot be read: kind: /],
    [{ more: { contexts: {} } }, /cannot be read: contexts: .*array/],
    [{ cluster: { server: '' } }, /clusters\[office\] in \S+: server: expected an address/],
    [
      { cluster: { 'proxy-url': 'ftp://x' } },
      /proxy-url \(or the proxy of the environment\): expected http:\/\/, https:\/\/ or socks5:\/\/, found "ftp/,
    ],
    [
      { cluster: { ...CA, 'insecure-skip-tls-verify': true } },
      /certificate-authority and insecure-skip-tls-verify/,
    ],
    [{ cluster: { 'certificate-authority': 'gone.pem' } }, /certificate-authority: ENOENT.*gone\.pem/],
    [
      { cluster: { 'certificate-authority-data': 'eA==' } },
      /certificate-authority-data: expected a PEM file in base64/,
    ],
    [{ user: { 'client-certificate-data': base64(TLS.cert) } }, /a client-certificate without a client-key/],
    [{ user: { token: 'x', username: 'ada' } }, /username and token contradict each other/],
    [{ user: { tokenFile: 'gone' } }, /tokenFile of \S+ cannot be read: ENOENT/],
    [{ user: { 'as-groups': ['dev'] } }, /as-uid, as-groups and as-user-extra need an as/],
    [
      { user: { 'auth-provider': { name: 'gcp' } } },
      /auth-provider gcp is not supported, .*1\.26: use the exec plugin gke-gcloud-auth-plugin/,
    ],
    [{ user: { 'auth-provider': { name: 'azure' } } }, /auth-provider azure .*kubelogin/],
    [{ user: { 'auth-provider': { name: 'acme' } } }, /auth-provider acme is not supported\./],
    [
      { user: byPlugin({ command: 'no-such-login', installHint: 'Get it from acme.example.' }) },
      /asks the program no-such-login for credentials, and there is no such program: .* Get it from acme\.example\./,
    ],
    [
      {
        user: byPlugin({ command: await writePlugin(t, "console.error('session over.'); process.exit(3);") }),
      },
      /and it failed \(exit code 3\): session over\.$/,
    ],
    [
      { user: byPlugin({ command: await writePlugin(t, "console.log('hello')") }) },
      /expected an ExecCredential of client\.authentication\.k8s\.io\/v1 with a token/,
    ],
    [
      { user: byPlugin({ command: 'x', apiVersion: 'client.authentication.k8s.io/v1alpha1' }) },
      /users\[ada\] in \S+: exec\.apiVersion: /,
    ],
    [
      { user: byPlugin({ command: 'x', interactiveMode: 'Always' }) },
      /wants a terminal \(interactiveMode: Always\)/,
    ],
  ];
  for (const [parts, message] of cases) {
    await assert.rejects(asks(t, parts), (error) => {
      assert.ok(error instanceof UsageError, String(error));
      assert.match(error.message, message);
      return true;
    });
  }
  const path = await writeKubeconfig(t, kubeconfigText(server));
  await assert.rejects(
    askCluster({ kubeconfig: path, context: 'home' }),
    /does not hold a context home; it has work/,
  );
  await assert.rejects(askCluster({ kubeconfig: dirname(path) }), /cannot be read: it is a directory/);
});

test('a file that is no kubeconfig is told by what it holds', async (t) => {
  await assert.rejects(
    askCluster({ kubeconfig: await writeKubeconfig(t, 'just text') }),
    /kubeconfig \S+ cannot be read: expected clusters, contexts and users in YAML, found plain text\.$/,
  );
});

test('what answers and is no API server is told as what it is', async (t) => {
  const answers: readonly (readonly [number, Readonly<Record<string, string>>, string, RegExp])[] = [
    [
      200,
      { 'Content-Type': 'text/html; charset=utf-8' },
      '<html>Log in',
      /answers HTTP 200 with a web page \(text\/html\): expected a Kubernetes API server/,
    ],
    [
      302,
      { Location: 'https://login.example/' },
      '',
      /answers HTTP 302 with another address \(https:\/\/login\.example\/\)/,
    ],
    [
      200,
      { 'Content-Type': 'application/json' },
      '{"ok":true}',
      /does not answer as a Kubernetes API server does/,
    ],
    [200, { 'Content-Type': 'application/json' }, '[]', /does not answer as a Kubernetes API server does/],
    [
      400,
      { 'Content-Type': 'text/plain' },
      'Client sent an HTTP request to an HTTPS server.',
      /speaks TLS: write https:\/\//,
    ],
  ];
  for (const [code, headers, body, message] of answers) {
    const other = createServer((_, response) => response.writeHead(code, headers).end(body));
    const port = await listen(t, other);
    const { error } = await asks(t, { cluster: { server: `http://127.0.0.1:${port}` } });
    assert.equal(error?.exitCode, 2, String(message));
    assert.match(error?.message ?? '', message);
    const { error: noTls } = await asks(t, { cluster: { ...CA, server: `https://127.0.0.1:${port}` } });
    assert.equal(noTls?.exitCode, 2);
    assert.match(noTls?.message ?? '', /does not speak TLS/);
  }
});

test('a plain server, such as kubectl proxy, is asked; a port where nothing listens is told at once', async (t) => {
  const plain = await startCluster(t, { directory: await temporaryDirectory(t) });
  assert.deepEqual((await asks(t, { cluster: { server: `${plain.api.url}/` }, user: {} })).items, []);
  const gone = createServer();
  const port = await listen(t, gone);
  await new Promise((closed) => gone.close(closed));
  const refused = { cluster: { server: `http://127.0.0.1:${port}` } };
  const { error, lines } = await asks(t, refused);
  assert.equal(error?.exitCode, 5);
  assert.match(
    error?.message ?? '',
    /^k8s: the API server \S+ refuses the connection \(ECONNREFUSED\)\. The same command/,
  );
  assert.deepEqual(lines, []);
  const { exitCode, stderr } = await kube(
    { kubeconfig: await writeKubeconfig(t, kubeconfigText(server, refused)) },
    ['status'],
  );
  assert.equal(exitCode, 5, stderr);
  assert.match(stderr, /^error: k8s: the API server \S+ refuses the connection/);
});

test('a request that is given up leaves no connection behind', async (t) => {
  const stop = new AbortController();
  const silent = createServer(() => stop.abort(new InterruptedError()));
  const port = await listen(t, silent);
  const closed = new Promise((done) => silent.on('connection', (socket) => socket.on('close', done)));
  const kubeconfig = await writeKubeconfig(t, kubeconfigText(`http://127.0.0.1:${port}`, { cluster: {} }));
  const reporter = keepingReporter();
  const api = await clusterApi(await findCluster({ kubeconfig }), { signal: stop.signal, reporter });
  await assert.rejects(api.listJobs({}), InterruptedError);
  await closed;
});
