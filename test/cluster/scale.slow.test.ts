/** A thousand clients and more on a real control plane and a hollow node: how long, how much memory, how many requests. */
import assert from 'node:assert/strict';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { execa } from 'execa';
import { programPath } from '../programs.js';
import { projectRoot } from '../sources.js';
import { apply, asServiceAccount, HOLLOW, kubectl, makePlace, notOurs, ownCluster } from './cluster.js';
import { startHollowNode } from './hollow-node.js';

/** How many, in rounds of their own: `4000`, or with so many to a pod `4000/16`. */
const SIZES = (process.env.FEDBATCH_TEST_CLIENTS ?? '1000').split(',');
/** What a run of so many may take on two processors, of which the API server and its like have most. */
const mostOf = (clients: number) => ({
  seconds: 30 + 0.12 * clients,
  megabytes: 250 + 0.15 * clients,
  requests: 100 + 0.3 * clients,
});

for (const size of SIZES) {
  const [clients = 0, perPod = 1] = size.split('/').map(Number);
  const title = `a round of ${clients} clients${perPod > 1 ? `, ${perPod} to a pod` : ''}`;
  test(title, { skip: notOurs }, (t) => runRound(t, clients, perPod));
}

async function runRound(t: TestContext, clients: number, perPod: number): Promise<void> {
  const most = mostOf(clients);
  const place = await makePlace(t, 'scale', { node: HOLLOW });
  await apply(place, readFileSync(join(projectRoot, 'k8s', '0-rbac.yaml'), 'utf8'));
  await kubectl(place, ['apply', '--filename', join(projectRoot, 'k8s', '3-pvc.yaml')]);
  await startHollowNode(t);
  const account = await asServiceAccount(t, place, 'fedbatch-pipeline');
  const started = Date.now();
  const flags = perPod > 1 ? ['--clients-per-pod', `${perPod}`, '--no-isolate'] : [];
  const run = execa(
    process.execPath,
    [programPath('cli'), 'k8s', 'run', '--clients', `${clients}`, '--json', ...flags],
    {
      reject: false,
      env: { KUBECONFIG: account.kubeconfig },
    },
  );
  let megabytes = 0;
  const look = setInterval(() => {
    megabytes = Math.max(megabytes, peakOf(run.pid ?? 0));
  }, 500);
  const { exitCode, stderr } = await run;
  clearInterval(look);
  assert.equal(exitCode, 0, stderr);
  const seconds = (Date.now() - started) / 1000;
  const requests = await requestsOf(`system:serviceaccount:${place.namespace}:fedbatch-pipeline`, started);
  const all = [...requests.values()].reduce((sum, count) => sum + count, 0);
  const list = [...requests].map(([what, count]) => `${count} ${what}`).join(', ');
  t.diagnostic(`${seconds.toFixed(0)} s, ${megabytes.toFixed(0)} MB, ${all} requests: ${list}`);
  assert.ok(seconds < most.seconds, `${seconds} s`);
  assert.ok(megabytes < most.megabytes, `${megabytes} MB`);
  assert.ok(all < most.requests, list);
}

/** The most memory that a process has had, in MB; 0 once it has ended. */
function peakOf(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** What somebody has asked the API server since, by verb and resource. */
async function requestsOf(user: string, since: number): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const lines = createInterface({ input: createReadStream(join(ownCluster().home, 'log', 'audit.log')) });
  for await (const line of lines) {
    if (!line.includes(user)) continue;
    const event = JSON.parse(line);
    const { verb, objectRef = {}, stage, requestReceivedTimestamp } = event;
    const isWatch = verb === 'watch';
    if (event.user.username !== user || stage !== (isWatch ? 'ResponseStarted' : 'ResponseComplete'))
      continue;
    if (Date.parse(requestReceivedTimestamp) < since) continue;
    const what = `${verb} ${objectRef.resource}${objectRef.subresource ? `/${objectRef.subresource}` : ''}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}
