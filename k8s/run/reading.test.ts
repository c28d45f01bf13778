/** What the runner reads of names, pods and answers of an API server, without one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { V1Pod } from '@kubernetes/client-node';
import fc from 'fast-check';
import { describeTrouble, explainFailure, isPassing } from '../connection/api-errors.js';
import { jobName, runName } from './names.js';
import { leftResult, podEnding, podPhase, podTrouble } from './pod-status.js';

test('any run id makes a name that Kubernetes takes, with room for the index of a client', () => {
  const ids = fc.tuple(fc.string({ unit: 'binary', maxLength: 40 }), fc.stringMatching(/^[0-9a-f]{8}$/));
  fc.assert(
    fc.property(ids, ([dataset, hash]) => {
      const run = runName(`${dataset}-100x12-${hash}`);
      assert.ok(run.endsWith(hash), run);
      const host = `${jobName(run, 'aggregate', 1)}-99999`;
      assert.match(host, /^[a-z]([a-z0-9-]{0,61}[a-z0-9])$/);
    }),
    { numRuns: 200 },
  );
  assert.equal(jobName(runName('Digits_a-3x2-1a2b3c4d'), 'train', 12), 'digits-a-3x2-1a2b3c4d-r0012-train');
});

const pod = (status: object): V1Pod => ({ metadata: { name: 'p' }, status: status as never });
const ended = (terminated: object) =>
  pod({ phase: 'Failed', containerStatuses: [{ name: 'trainer', state: { terminated } }] });

test('how a pod ended is told in one sentence, by the program itself where it said something', () => {
  assert.equal(
    podEnding(ended({ exitCode: 3, message: 'x.npz: found nothing.\n' })).reason,
    'ended with exit code 3: x.npz: found nothing',
  );
  assert.equal(podEnding(ended({ exitCode: 137, reason: 'Error' })).reason, 'was killed (SIGKILL)');
  assert.match(
    podEnding(ended({ exitCode: 137, reason: 'OOMKilled' })).reason,
    /^ran out of memory \(OOMKilled\)/,
  );
  const log = '{"level":"info","msg":"training"}\n{"level":"error","msg":"no memory"}\n';
  assert.equal(podEnding(ended({ exitCode: 1, message: log })).reason, 'ended with exit code 1: no memory');
  assert.equal(
    podEnding(pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on memory.' })).reason,
    'Evicted: The node was low on memory',
  );
});

test('what keeps a pod from starting is known, with what to do about it', () => {
  const waiting = (reason: string) =>
    pod({ phase: 'Pending', containerStatuses: [{ name: 'a', state: { waiting: { reason } } }] });
  assert.equal(podTrouble(waiting('ImagePullBackOff'))?.isFinal, true);
  assert.equal(podTrouble(waiting('CreateContainerConfigError'))?.isFinal, true);
  assert.equal(podTrouble(waiting('ContainerCreating')), undefined);
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message: '1 Insufficient cpu.',
  };
  const unscheduled = pod({ phase: 'Pending', conditions: [condition] });
  assert.equal(podTrouble(unscheduled)?.isFinal, false);
  assert.equal(podPhase(unscheduled), 'waiting for a node');
});

test('a result that was shortened to fit into the status is none', () => {
  const left = (message: string) => leftResult(ended({ exitCode: 0, message }), 'trainer');
  assert.deepEqual(left('{"sha256":"a"}'), { sha256: 'a' });
  assert.equal(left('{"rejected":[],"shortened":true}'), undefined);
  assert.equal(left('{"cut'), undefined);
});

test('what may pass is asked again, the rest is explained with its exit code', () => {
  const refusal = (code: number, message = 'no') => ({
    code,
    body: JSON.stringify({ message }),
    headers: {},
  });
  assert.deepEqual(
    [429, 503, 403, 404, 422].map((code) => isPassing(refusal(code))),
    [true, true, false, false, false],
  );
  assert.ok(isPassing(Object.assign(new Error('x'), { code: 'ECONNRESET' })));
  assert.equal(explainFailure(refusal(403), 'https://c')?.exitCode, 2);
  const forbidden: readonly (readonly [string, number, RegExp])[] = [
    ['User "ada" cannot create resource "jobs" in API group "batch" in the namespace "fl"', 2, /0-rbac/],
    [
      'User "ada" cannot impersonate resource "users" in API group ""',
      2,
      /right to impersonate, or take as,/,
    ],
    ['exceeded quota: q, requested: count/jobs.batch=1, used: count/jobs.batch=2', 5, /k8s delete --run/],
    ['unable to create new content in namespace fl because it is being terminated', 2, /another --namespace/],
    ['maximum storage usage per PersistentVolumeClaim is 1Gi, but request is 10Gi', 2, /not a missing right/],
  ];
  for (const [why, exitCode, next] of forbidden) {
    const told = explainFailure(refusal(403, `jobs.batch "a" is forbidden: ${why}`), 'https://c');
    assert.equal(told?.exitCode, exitCode);
    assert.match(told?.message ?? '', next);
    assert.ok(told?.message.includes(why));
  }
  assert.equal(explainFailure(refusal(500), 'https://c')?.exitCode, 5);
  const silent = Object.assign(new Error('connect ECONNREFUSED 1.2.3.4:6443'), { code: 'ECONNREFUSED' });
  assert.match(
    explainFailure(silent, 'https://c')?.message ?? '',
    /https:\/\/c refuses the connection \(ECONNREFUSED\)/,
  );
});

test('whatever a proxy answers in place of the API server is told in one line', () => {
  const answer = (body: string) => ({ code: 503, body, message: `HTTP-Code: 503\nBody: ${body}` });
  assert.equal(describeTrouble(answer('<html>\nbad gateway</html>')), 'answers 503 (a web page)');
  assert.equal(describeTrouble(answer('no healthy\nupstream\n')), 'answers 503 (no healthy upstream)');
  assert.equal(describeTrouble(answer('')), 'answers 503 (without a reason)');
  assert.equal(describeTrouble(new Error('socket hang up')), 'breaks the connection off (socket hang up)');
});
