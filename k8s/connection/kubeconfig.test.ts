/** A kubeconfig of each kind leads to the API server of the tests as kubectl would be led. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import {
  askCluster,
  askVersion,
  base64,
  byPlugin,
  CA,
  giving,
  kubeconfigText,
  listen,
  type Parts,
  type SecureCluster,
  startSecureCluster,
  TLS,
  writeKubeconfig,
  writePlugin,
} from '../../test/kube/kubeconfigs.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { findCluster } from './connect.js';

let cluster: SecureCluster;
let server = '';
const cleanUps: (() => unknown)[] = [];
before(async () => {
  // What this machine trusts, and where it leads, is no part of the test.
  delete process.env.NODE_EXTRA_CA_CERTS;
  delete process.env.KUBECONFIG;
  cluster = await startSecureCluster({ after: (cleanUp) => void cleanUps.push(cleanUp as () => unknown) });
  server = cluster.api.url;
});
after(async () => {
  for (const cleanUp of cleanUps) await cleanUp();
});

const header = (name: string) => cluster.asker().headers[name];
const asks = async (t: TestContext, parts: Parts) =>
  askCluster({ kubeconfig: await writeKubeconfig(t, kubeconfigText(server, parts)) });

test('token, token file, name and password, client certificate, and nobody in particular', async (t) => {
  await asks(t, { user: { token: 'secret' } });
  assert.equal(header('authorization'), 'Bearer secret');
  const path = await writeKubeconfig(
    t,
    kubeconfigText(server, { user: { token: 'old', tokenFile: 'token' } }),
  );
  writeFileSync(join(dirname(path), 'token'), 'from-a-file\n');
  await askCluster({ kubeconfig: path });
  assert.equal(header('authorization'), 'Bearer from-a-file');
  await asks(t, { user: { username: 'ada', password: 'a:b' } });
  assert.equal(header('authorization'), `Basic ${base64('ada:a:b')}`);
  await asks(t, {
    user: { 'client-certificate-data': base64(TLS.cert), 'client-key-data': base64(TLS.key) },
  });
  assert.equal(cluster.asker().certificate, 'localhost');
  assert.equal(header('authorization'), undefined);
  await asks(t, { user: {}, context: { user: '' } });
  assert.equal(header('authorization'), undefined);
});

test('a token file that is renewed is read again when the old token is refused', async (t) => {
  const path = await writeKubeconfig(t, kubeconfigText(server, { user: { tokenFile: 'token' } }));
  const token = join(dirname(path), 'token');
  writeFileSync(token, 'one');
  t.after(() => cluster.admit(() => true));
  const connection = await findCluster({ kubeconfig: path });
  writeFileSync(token, 'two');
  cluster.admit(({ headers }) => headers.authorization === 'Bearer two');
  assert.equal(await askVersion(connection), 200);
  cluster.admit(() => false);
  const { error } = await askCluster({ kubeconfig: path });
  assert.equal(error?.exitCode, 2);
  assert.match(error?.message ?? '', /does not accept your credentials: log in to the cluster again/);
});

test('paths are meant from the folder of the kubeconfig, and data go before paths', async (t) => {
  const fields = { 'certificate-authority': 'pki/ca.pem' };
  const user = {
    ...{ 'client-certificate': 'pki/me.pem', 'client-key': 'pki/me-key.pem' },
    'client-key-data': base64(TLS.key),
  };
  const path = await writeKubeconfig(t, kubeconfigText(server, { cluster: fields, user }));
  mkdirSync(join(dirname(path), 'pki'));
  writeFileSync(join(dirname(path), 'pki', 'ca.pem'), TLS.ca);
  writeFileSync(join(dirname(path), 'pki', 'me.pem'), TLS.cert);
  const { items } = await askCluster({ kubeconfig: path });
  assert.deepEqual(items, []);
  assert.equal(cluster.asker().certificate, 'localhost');
});

test('an authority, another name, no verification: what a server shows is held to it', async (t) => {
  const { error: untrusted } = await asks(t, { cluster: {} });
  assert.equal(untrusted?.exitCode, 2);
  assert.match(
    untrusted?.message ?? '',
    /certificate that is not trusted here: name its certificate-authority/,
  );
  assert.deepEqual((await asks(t, { cluster: { 'insecure-skip-tls-verify': true } })).items, []);
  const { port } = new URL(cluster.api.url);
  const elsewhere = { ...CA, server: `https://[::ffff:127.0.0.1]:${port}` };
  const { error: wrongName } = await asks(t, { cluster: elsewhere });
  assert.equal(wrongName?.exitCode, 2);
  assert.match(wrongName?.message ?? '', /certificate for another name: .*tls-server-name/);
  assert.deepEqual((await asks(t, { cluster: { ...elsewhere, 'tls-server-name': 'localhost' } })).items, []);
});

test('whoever acts as somebody else says as whom, with every group', async (t) => {
  await asks(t, {
    user: {
      ...{ token: 'x', as: 'bob', 'as-uid': '7', 'as-groups': ['dev', 'ops'] },
      'as-user-extra': { 'acme.com/Project': ['one', 'two'] },
    },
  });
  assert.equal(header('impersonate-user'), 'bob');
  assert.equal(header('impersonate-uid'), '7');
  const raw = cluster.asker().rawHeaders;
  const all = (name: string) => raw.filter((_, at) => raw[at - 1]?.toLowerCase() === name);
  assert.deepEqual(all('impersonate-group'), ['dev', 'ops']);
  assert.deepEqual(all('impersonate-extra-acme.com%2fproject'), ['one', 'two']);
});

test('a plugin is found beside its kubeconfig, told of the cluster, and asked again when its token is refused', async (t) => {
  const command = await writePlugin(
    t,
    `const { spec } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
     const { appendFileSync, readFileSync } = require('node:fs');
     appendFileSync(__dirname + '/calls', 'x');
     const calls = readFileSync(__dirname + '/calls', 'utf8').length;
     const given = [process.argv[2], process.env.ROLE, spec.interactive, new URL(spec.cluster.server).protocol, spec.cluster.config.tenant, calls];
     ${giving("{ token: given.join(' ') }")}`,
  );
  const tenant = [{ name: 'client.authentication.k8s.io/exec', extension: { tenant: 't1' } }];
  const user = byPlugin({
    ...{ command: './login', args: ['get-token'], env: [{ name: 'ROLE', value: 'admin' }] },
    provideClusterInfo: true,
  });
  const path = join(dirname(command), 'config');
  writeFileSync(path, kubeconfigText(server, { cluster: { ...CA, extensions: tenant }, user }));
  t.after(() => cluster.admit(() => true));
  const connection = await findCluster({ kubeconfig: path });
  assert.equal(await askVersion(connection), 200);
  assert.equal(await askVersion(connection), 200);
  assert.equal(header('authorization'), 'Bearer get-token admin false https: t1 1', 'its token is kept');
  cluster.admit(({ headers }) => headers.authorization?.endsWith(' 2') === true);
  assert.equal(await askVersion(connection), 200);
  cluster.admit(() => false);
  assert.equal(await askVersion(connection), 401);
});

test('a plugin may give a certificate, and a token that is soon over is asked for anew', async (t) => {
  const certificate = await writePlugin(
    t,
    giving(JSON.stringify({ clientCertificateData: `${TLS.cert}`, clientKeyData: `${TLS.key}` })),
  );
  await asks(t, { user: byPlugin({ command: certificate }) });
  assert.equal(cluster.asker().certificate, 'localhost');
  const brief = await writePlugin(
    t,
    giving("{ token: String(process.hrtime.bigint()), expirationTimestamp: '2020-01-01T00:00:00Z' }"),
  );
  const connection = await findCluster({
    kubeconfig: await writeKubeconfig(t, kubeconfigText(server, { user: byPlugin({ command: brief }) })),
  });
  const tokens = new Set<unknown>();
  for (let request = 0; request < 2; request++) {
    await askVersion(connection);
    tokens.add(header('authorization'));
  }
  assert.equal(tokens.size, 2);
});

test('a token of OpenID Connect that is still valid is shown', async (t) => {
  const claims = { exp: 4_000_000_000 };
  const token = ['e30', Buffer.from(JSON.stringify(claims)).toString('base64url'), 'x'].join('.');
  const config = { 'id-token': token, 'idp-issuer-url': 'https://id.example', 'client-id': 'kube' };
  await asks(t, { user: { 'auth-provider': { name: 'oidc', config } } });
  assert.equal(header('authorization'), `Bearer ${token}`);
});

test('a proxy is gone through', async (t) => {
  const wanted: string[] = [];
  const proxy = createServer().on('connect', ({ url = '' }: IncomingMessage, socket) => {
    wanted.push(url);
    const [host, port] = url.split(':');
    const through = connect(Number(port), host, () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    through.pipe(socket).pipe(through);
    for (const end of [socket, through]) end.on('error', () => undefined);
  });
  const port = await listen(t, proxy);
  const { items } = await asks(t, { cluster: { ...CA, 'proxy-url': `http://127.0.0.1:${port}` } });
  assert.deepEqual(items, []);
  assert.deepEqual(wanted, [new URL(cluster.api.url).host]);
});

test('what other contexts lead to is not asked for', async (t) => {
  const old = { command: 'x', apiVersion: 'client.authentication.k8s.io/v1alpha1' };
  const users = [
    { name: 'old', user: { exec: old } },
    { name: 'ada', user: { token: 'mine' } },
  ];
  const { items } = await asks(t, { more: { users } });
  assert.deepEqual([items, header('authorization')], [[], 'Bearer mine']);
});

test('the namespace is that of the flag, of the context, or default', async (t) => {
  assert.equal((await asks(t, {})).namespace, 'default');
  const path = await writeKubeconfig(t, kubeconfigText(server, { context: { namespace: 'team' } }));
  assert.equal((await askCluster({ kubeconfig: path })).namespace, 'team');
  assert.equal((await askCluster({ kubeconfig: path, namespace: 'mine' })).namespace, 'mine');
});

test('in a pod its service account leads to the cluster, with a token that is read again', async (t) => {
  const { hostname, port } = new URL(cluster.api.url);
  const serviceAccount = await temporaryDirectory(t);
  for (const [name, text] of Object.entries({ token: 'pod\n', 'ca.crt': TLS.ca, namespace: 'team' }))
    writeFileSync(join(serviceAccount, name), text);
  const home = process.env.HOME;
  Object.assign(process.env, {
    KUBERNETES_SERVICE_HOST: hostname,
    KUBERNETES_SERVICE_PORT: port,
    HOME: serviceAccount,
  });
  t.after(() => Object.assign(process.env, { HOME: home }));
  const { items, namespace, isInside } = await askCluster({}, { serviceAccount });
  assert.deepEqual([items, namespace, isInside], [[], 'team', true]);
  assert.equal(header('authorization'), 'Bearer pod');
});

test('files of KUBECONFIG that are missing or empty are passed over; what the first one says stays', async (t) => {
  t.after(() => void delete process.env.KUBECONFIG);
  const list = (...paths: readonly string[]) => {
    process.env.KUBECONFIG = paths.join(':');
    return askCluster({});
  };
  const ok = await writeKubeconfig(t, kubeconfigText(server, { context: { namespace: 'first' } }));
  const [empty, none] = [await writeKubeconfig(t, '\n# nothing\n'), join(dirname(ok), 'nonexistent')];
  for (const paths of [
    [ok, none],
    [none, ok],
    [empty, ok],
    [ok, empty],
  ])
    assert.equal((await list(...paths)).namespace, 'first', paths.join(':'));
  const second = kubeconfigText(server, { context: { namespace: 'second' } }).replace('"work"', '"other"');
  assert.equal((await list(ok, await writeKubeconfig(t, second))).namespace, 'first');
  const users = JSON.stringify({ users: [{ name: 'ada', user: { token: 'apart' } }] });
  await list(await writeKubeconfig(t, users), ok);
  assert.equal(header('authorization'), 'Bearer apart');
  await assert.rejects(
    list(none, `${none}-2`),
    /^UsageError: KUBECONFIG names \S+nonexistent, \S+nonexistent-2: .* found no such file/,
  );
  await assert.rejects(list(empty, none), /^UsageError: The kubeconfig \S+ is empty/);
  for (const text of ['clusters: [', 'clusters: *anchor']) {
    const broken = await writeKubeconfig(t, text, 'broken');
    await assert.rejects(
      list(ok, broken),
      /^UsageError: The kubeconfig \S+broken cannot be read: it is no YAML/,
    );
  }
});
