/** The programs of a run as a play: each container ends at once with the result that the real one would leave. */
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { type KubeRunOptions, runOnCluster } from '../../k8s/run/run.js';
import { isFedbatchError } from '../../lib/core/errors.js';
import { readClientList } from '../../lib/federation/client-list.js';
import type { Reporter } from '../../lib/observability/events.js';
import type { RunSettings } from '../../lib/settings/table.js';
import { forMany } from '../../lib/system/abort.js';
import { ofPod } from '../../pipeline/commands/stage-commands.js';
import { temporaryDirectory } from '../temporary-directory.js';
import { type ClusterOptions, type FakeCluster, startCluster } from './cluster.js';
import { INDEX } from './job-pods.js';
import type { KubeObject } from './objects.js';
import type { Played } from './run-container.js';

/** What a test changes of the play; undefined leaves a container as it is. */
type Change = (at: {
  readonly stage: string;
  readonly round: number;
  /** The first one of the pod. */
  readonly client: number;
  readonly container: string;
  readonly attempt: number;
}) => Played | undefined;

const IN_TURN = '--clients-per-pod=';

const hash = (text: string) => createHash('sha256').update(text).digest('hex');

/** Plays every container of a run; `change` goes first. */
export function playedPrograms(
  change: Change = () => undefined,
): (pod: KubeObject, container: string) => Played | undefined {
  const attempts = new Map<string, number>();
  return (pod, container) => {
    const labels = pod.metadata.labels ?? {};
    const stage = labels['fedbatch.io/stage'] ?? '';
    const round = Number(labels['fedbatch.io/round'] ?? 0);
    const index = Number(pod.metadata.annotations?.[INDEX] ?? 0);
    const perPod = clientsPerPodOf(pod);
    const group = ofPod(clientsOf(pod), index, perPod);
    const client = group[0] ?? index;
    const key = `${labels['batch.kubernetes.io/job-name']}/${index}/${container}`;
    const attempt = (attempts.get(key) ?? 0) + 1;
    attempts.set(key, attempt);
    const changed = change({ stage, round, client, container, attempt });
    if (changed !== undefined) return changed;
    const resultOf = (each: number) => playedResult(container, { round, client: each, attempt });
    const isInTurn = container === 'trainer' && perPod > 1;
    const told = isInTurn
      ? { clients: group.map((each) => ({ client: each, result: resultOf(each) })) }
      : resultOf(client);
    return { exitCode: 0, message: JSON.stringify(told) };
  };
}

/** The result that a container leaves. */
export function playedResult(
  container: string,
  { round, client, attempt }: { readonly round: number; readonly client: number; readonly attempt: number },
): object {
  const results: Readonly<Record<string, object>> = {
    'record-open': { resumed: attempt > 1, rounds: [] },
    splitter: { shards: 4, examples: 400, test: 40, seconds: 1, savedir: '/mnt/data', skipped: false },
    init: { model: 'mlp', parameters: 8836, sha256: hash('initial') },
    trainer: {
      ...{ client, round, examples: 100, seconds: 1, loss: 0.5, accuracy: 0.9, engine: 'played' },
      sha256: hash(`update ${round} ${client}`),
    },
    aggregator: { updates: 4, examples: 400, rejected: [], sha256: hash(`model ${round}`), seconds: 1 },
    evaluator: { accuracy: 0.8 + round / 100, loss: 0.5, examples: 40 },
    'record-end': {
      ...{ schemaVersion: 1, clients: 4 },
      round: 1,
      parent: hash('initial'),
      selected: [],
      reported: [],
      rejected: [],
      missing: [],
      clients: 4,
    },
  };
  return results[container] ?? {};
}

function clientsOf(pod: KubeObject): readonly number[] {
  const env: readonly { readonly name: string; readonly value?: string }[] = pod.spec.containers[0].env ?? [];
  const list = env.find(({ name }) => name === 'FEDBATCH_CLIENTS')?.value ?? '';
  return readClientList(list) ?? [];
}

function clientsPerPodOf(pod: KubeObject): number {
  const words: readonly string[] = pod.spec.containers[0].args ?? [];
  return Number(words.find((word) => word.startsWith(IN_TURN))?.slice(IN_TURN.length) ?? 1);
}

const SETTINGS: RunSettings = {
  seed: 0,
  dataset: { name: 'digits' },
  model: { name: 'mlp' },
  engine: { name: 'auto' },
  training: { epochs: 1, batch: 20, optimizer: 'adam', learningRate: 0.001, momentum: 0.9 },
  federation: {
    ...{ clients: 4, rounds: 1, fraction: 1, minClients: 1 },
    partition: { scheme: 'iid', minExamples: 1 },
  },
};

/** A run of four clients and one round on a cluster. */
export function runOptions(
  { kubeconfig }: Pick<FakeCluster, 'kubeconfig'>,
  more: Partial<KubeRunOptions> = {},
): KubeRunOptions {
  return {
    settings: SETTINGS,
    values: { WORKER_NUMBER: '4', EPOCH: '1', BATCH: '20' },
    destination: { kubeconfig },
    threads: 1,
    isolates: true,
    fresh: false,
    tolerance: { retries: 1 },
    scheduleTimeoutMs: 60_000,
    isVerbose: false,
    cleansUp: false,
    ...more,
  };
}

/** A reporter that keeps what it is told. */
export function keepingReporter(): Reporter & { readonly lines: readonly string[] } {
  const lines: string[] = [];
  const keep = (message: string) => void lines.push(message);
  return {
    lines,
    info: keep,
    warn: keep,
    error: keep,
    progress() {},
    step: keep,
    round: ({ round, rounds }) => keep(`round ${round}/${rounds}`),
    close() {},
  };
}

/** A cluster whose programs are played. */
export async function playedCluster(
  t: TestContext,
  options: Partial<ClusterOptions> = {},
): Promise<FakeCluster> {
  return startCluster(t, { directory: await temporaryDirectory(t), play: playedPrograms(), ...options });
}

/** Runs the job of {@link runOptions}: its result or its expected failure, and what was told. */
export async function runPlayed(
  cluster: FakeCluster,
  more: Partial<KubeRunOptions> = {},
  signal = forMany(new AbortController().signal),
  reporter = keepingReporter(),
) {
  const { lines } = reporter;
  try {
    return { result: await runOnCluster(runOptions(cluster, more), { reporter, signal }), lines };
  } catch (error) {
    if (!isFedbatchError(error)) throw error;
    return { error, lines };
  }
}
