/** The Role of k8s/0-rbac.yaml on a real API server: a run with nothing but the token of its service account. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { kube } from '../kube/runs.js';
import { projectRoot } from '../sources.js';
import { apply, asServiceAccount, HOLLOW, kubectl, makePlace, notOurs } from './cluster.js';
import { startHollowNode } from './hollow-node.js';

const ROLE = readFileSync(join(projectRoot, 'k8s', '0-rbac.yaml'), 'utf8');

test('a run needs the token of its service account and no more, and gets no further with it', {
  skip: notOurs,
}, async (t) => {
  const place = await makePlace(t, 'rights', { node: HOLLOW });
  const elsewhere = await makePlace(t, 'elsewhere');
  await apply(place, ROLE);
  await startHollowNode(t);
  const account = await asServiceAccount(t, place, 'fedbatch-pipeline');

  const job = [
    '--clients',
    '3',
    '--rounds',
    '2',
    '--storage-class',
    'nfs-csi',
    '--json',
    '--schedule-timeout',
    '60',
  ];
  const ended = await kube(account, ['run', ...job]);
  assert.equal(ended.exitCode, 0, ended.stderr);
  assert.match(ended.stderr, /Made the claim fedbatch/);
  const again = await kube(account, ['run', ...job, '--cleanup']);
  assert.equal(again.exitCode, 0, again.stderr);
  assert.match(again.stderr, /^train .*done before: skipped$/m);
  for (const kind of ['jobs', 'pods', 'configmaps']) {
    const { stdout } = await kubectl(place, [
      'get',
      kind,
      '--selector',
      'fedbatch.io/run',
      '--output',
      'name',
    ]);
    assert.equal(stdout, '', 'deleted by its own run');
  }

  const may = async (namespace: string, ...what: readonly string[]) =>
    (await kubectl(account, ['auth', 'can-i', ...what, '--namespace', namespace], { reject: false })).stdout;
  assert.equal(await may(place.namespace, 'create', 'jobs.batch'), 'yes');
  for (const forbidden of [
    ['get', 'secrets'],
    ['create', 'pods'],
    ['create', 'pods/exec'],
    ['delete', 'persistentvolumeclaims'],
    ['create', 'serviceaccounts/token'],
    ['create', 'rolebindings.rbac.authorization.k8s.io'],
    ['list', 'nodes'],
  ]) {
    assert.equal(await may(place.namespace, ...forbidden), 'no', forbidden.join(' '));
  }
  assert.equal(await may(elsewhere.namespace, 'list', 'pods'), 'no');
  const astray = await kube(account, ['run', '--namespace', elsewhere.namespace]);
  assert.equal(astray.exitCode, 2, astray.stderr);
  assert.match(astray.stderr, /You may not do in the namespace fedbatch-test-elsewhere what the run needs: /);
});
