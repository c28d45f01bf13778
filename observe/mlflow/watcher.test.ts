/** What an MLflow server gets to know of runs: once, whatever happens to server and run; nothing that it does matters to the run. */
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RunEvent } from '../../lib/formats/metrics-event.js';
import { newRunRecord, type RunRecord, readRunRecord, writeRecord } from '../../lib/formats/run-record.js';
import { type VolumePaths, volumePaths } from '../../lib/formats/volume.js';
import { silentReporter } from '../../lib/observability/events.js';
import { openMetrics } from '../../pipeline/record/metrics.js';
import { type Fault, type LoggedRun, type PlayedMlflow, startMlflow } from '../../test/mlflow-server.js';
import { settingsFromFlags } from '../../test/settings.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { openWatchers, tellGroupEnd } from '../open-watchers.js';
import type { RunGroup } from '../watcher.js';
import { mlflowPlace } from './address.js';

const hash = (digit: string) => digit.repeat(64);
const CLIENTS = 2;
const ROUNDS = 3;

/** A volume with a run that has not begun. */
async function startVolume(root: string, changes: Partial<RunRecord> = {}): Promise<VolumePaths> {
  const paths = volumePaths(root);
  const { settings } = settingsFromFlags([
    '--clients',
    `${CLIENTS}`,
    '--rounds',
    `${ROUNDS}`,
    '--model',
    'mlp',
  ]);
  const versions = { fedbatch: '1.0.0', node: '20.0.0' };
  const record = newRunRecord({ id: 'digits-2x2-0a0b0c0d', settings, threads: 1, versions });
  await writeRecord(paths.run, { ...record, ...changes });
  return paths;
}

const seconds = { train: 1, aggregate: 0.5, evaluate: 0.25 };

/** The events of a round. The loss of its second client is not finite. */
const eventsOf = (round: number): readonly RunEvent[] => [
  ...[0, 1].map((client): RunEvent => {
    const loss = client === 1 ? null : 1 / round;
    const found = { client, examples: 50, seconds: 2, loss, accuracy: 0.5 };
    return { event: 'update', round, learningRate: 0.01, ...found, engine: 'onnx/cpu', sha256: hash('a') };
  }),
  {
    ...{ event: 'aggregate', round, inputs: hash('b'), updates: 2, examples: 100, seconds: 0.5 },
    ...{
      sha256: hash('c'),
      rejected: [],
      clients: [0, 1].map((client) => ({ client, norm: 3, cosine: 0.5 })),
    },
  },
  {
    ...{
      event: 'round',
      round,
      selected: 2,
      reported: 2,
      rejected: 0,
      missing: 0,
      updates: 2,
      examples: 100,
    },
    ...{ accuracy: 0.5 + round / 10, loss: 0.5, best: 0.5 + round / 10, seconds, sha256: hash('c') },
  },
];

const START = (settings: RunRecord['settings']): RunEvent => ({
  ...{ event: 'start', id: 'digits-2x2-0a0b0c0d', resumed: false, settings, retries: 1, threads: 1 },
});

const END: RunEvent = {
  ...{ event: 'end', accuracy: 0.8, loss: 0.5, rounds: ROUNDS, stopped: 'rounds', sha256: hash('c') },
  best: { round: 3, accuracy: 0.8, sha256: hash('c') },
  participation: { selected: 6, missing: 0, rejected: 0 },
  seconds: { split: 1, ...seconds, total: 3 },
  volume: 'runs/a',
};

const failure = (exitCode: number): RunEvent => ({
  ...{ event: 'failure', stage: 'train', round: 1, exitCode, reason: 'it broke', next: 'mend it' },
});

const { settings: SETTINGS } = settingsFromFlags(['--clients', '2', '--rounds', '3', '--model', 'mlp']);
const WHOLE: readonly RunEvent[] = [START(SETTINGS), ...[1, 2, 3].flatMap(eventsOf), END];

interface Session {
  readonly events: readonly RunEvent[];
  readonly url: string;
  readonly partOf?: RunGroup;
}

/** What one process tells of a run; returns its warnings. */
async function tellSession(paths: VolumePaths, { events, url, partOf }: Session): Promise<readonly string[]> {
  const warnings: string[] = [];
  const reporter = { ...silentReporter, warn: (message: string) => void warnings.push(message) };
  const watchers = await openWatchers({ 'watching.mlflow': url }, { paths, reporter, partOf });
  const metrics = await openMetrics(paths, { watchers });
  for (const event of events) await metrics.append(event);
  await metrics.close();
  return warnings;
}

const only = ({ runs }: PlayedMlflow): LoggedRun => {
  const left = runs.filter(({ isDeleted }) => !isDeleted);
  assert.equal(left.length, 1);
  return left[0] as LoggedRun;
};

const valuesOf = ({ metrics }: LoggedRun, key: string) =>
  metrics.filter((each) => each.key === key).map(({ step, value }) => [step, value]);

/** Every metric has a value for each round, and none has two. */
function requireAllOnce(run: LoggedRun): void {
  const told = run.metrics.map(({ key, step }) => `${key} ${step}`);
  assert.equal(new Set(told).size, told.length, 'nothing is told twice');
  for (const key of [
    'accuracy',
    'client-0/loss',
    'client-1/seconds',
    'client-1/norm',
    'learningRate',
    'seconds/train',
  ]) {
    assert.deepEqual(
      valuesOf(run, key).map(([step]) => step),
      [1, 2, 3],
      key,
    );
  }
}

/** Where nothing listens. */
async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

describe('an MLflow server', () => {
  it('is told settings, metrics by round, the end and the files of a run', async (t) => {
    const played = await startMlflow(t);
    const paths = await startVolume(await temporaryDirectory(t), {
      name: 'first',
      tags: ['baseline', 'mlp'],
    });
    await writeFile(paths.report, '<p>report</p>');
    await writeFile(paths.accuracy, '{}');
    await writeFile(paths.aggregatedModel, 'a model');
    assert.deepEqual(await tellSession(paths, { events: WHOLE, url: played.url }), []);
    const run = only(played);
    requireAllOnce(run);
    assert.equal(run.name, 'first');
    assert.equal(run.status, 'FINISHED');
    assert.ok((run.endTime ?? 0) > 1e12);
    assert.deepEqual(valuesOf(run, 'accuracy'), [
      [1, 0.6],
      [2, 0.7],
      [3, 0.8],
    ]);
    assert.deepEqual(valuesOf(run, 'client-1/loss')[0], [1, 'NaN']);
    const {
      'federation.clients': clients,
      'training.epochs': epochs,
      threads,
      ...params
    } = Object.fromEntries(run.params);
    assert.deepEqual([clients, epochs, threads], ['2', '2', '1']);
    const { 'training.optimizer': optimizer, 'training.momentum': momentum } = params;
    assert.deepEqual([optimizer, momentum], ['adam', undefined], 'what does not apply is no parameter');
    const tags = Object.fromEntries(run.tags);
    assert.equal(tags['fedbatch.run'], 'digits-2x2-0a0b0c0d');
    assert.equal(tags['fedbatch.tags'], 'baseline, mlp');
    assert.equal(tags['fedbatch.engine'], 'onnx/cpu');
    assert.equal(tags['fedbatch.model.sha256'], hash('c'));
    assert.deepEqual(Object.fromEntries(run.files), {
      'report.html': '<p>report</p>',
      'accuracy.json': '{}',
      'aggregated-model.h5': 'a model',
    });
  });

  it('knows each metric of each round once, wherever a run is cut into sessions and the server fails', async () => {
    const cuts = fc.subarray(WHOLE.map((_, at) => at).slice(1));
    const faults = fc.dictionary(fc.nat(40).map(String), fc.constantFrom<Fault>(500, 'resets', 'loses'), {
      maxKeys: 3,
    });
    await fc.assert(
      fc.asyncProperty(cuts, faults, async (sessions, failing) => {
        const ends: (() => void)[] = [];
        const root = await mkdtemp(join(tmpdir(), 'fedbatch-'));
        try {
          const played = await startMlflow({ after: (end) => void ends.push(end as () => void) });
          played.fails = (number) => failing[number];
          const paths = await startVolume(root);
          const bounds = [0, ...sessions, WHOLE.length];
          for (const [index, from] of bounds.slice(0, -1).entries()) {
            await tellSession(paths, { events: WHOLE.slice(from, bounds[index + 1]), url: played.url });
          }
          // The same command again, when all is well.
          played.fails = () => undefined;
          await tellSession(paths, { events: [START(SETTINGS), END], url: played.url });
          const run = only(played);
          requireAllOnce(run);
          assert.equal(run.status, 'FINISHED');
        } finally {
          for (const end of ends) end();
          await rm(root, { recursive: true, force: true });
        }
      }),
      { numRuns: 15 },
    );
  });

  it('shows how a run failed or was stopped, and that it goes on again', async (t) => {
    const played = await startMlflow(t);
    const paths = await startVolume(await temporaryDirectory(t));
    await tellSession(paths, { events: [START(SETTINGS), ...eventsOf(1), failure(5)], url: played.url });
    assert.equal(only(played).status, 'FAILED');
    assert.equal(only(played).tags.get('fedbatch.failure'), 'it broke');
    await tellSession(paths, { events: [START(SETTINGS), failure(130)], url: played.url });
    assert.equal(only(played).status, 'KILLED');
    await tellSession(paths, { events: [START(SETTINGS)], url: played.url });
    assert.equal(only(played).status, 'RUNNING');
    // More rounds than before: MLflow keeps a parameter as it was.
    const { settings } = settingsFromFlags(['--clients', '2', '--rounds', '9', '--model', 'mlp']);
    const { createdAt } = await readRunRecord(paths.run);
    await startVolume(paths.root, { settings, createdAt });
    const warnings = await tellSession(paths, { events: [START(settings), END], url: played.url });
    assert.deepEqual(warnings, []);
    assert.equal(only(played).params.get('federation.rounds'), '3');
    assert.equal(only(played).tags.get('federation.rounds'), '9');
    assert.equal(only(played).tags.get('fedbatch.failure'), '');
  });

  it('tells runs of equal settings apart, and shows those of a group below it', async (t) => {
    const played = await startMlflow(t);
    const group: RunGroup = { kind: 'seeds', id: 'digits-seeds', createdAt: '2026-01-01T00:00:00.000Z' };
    const volumes = await Promise.all(
      ['2026-01-02T00:00:00.000Z', '2026-01-03T00:00:00.000Z'].map(async (createdAt) =>
        startVolume(await temporaryDirectory(t), { createdAt }),
      ),
    );
    // Side by side, as the trials of a sweep are.
    await Promise.all(
      volumes.map((paths) => tellSession(paths, { events: WHOLE, url: played.url, partOf: group })),
    );
    const left = played.runs.filter(({ isDeleted }) => !isDeleted);
    const [parent] = left.filter(({ tags }) => tags.get('fedbatch.kind') === 'seeds');
    assert.equal(left.length, 3);
    const children = left.filter(({ tags }) => tags.get('mlflow.parentRunId') === parent?.id);
    assert.equal(children.length, 2);
    for (const child of children) requireAllOnce(child);
    const file = join(volumes[0]?.root ?? '', 'seeds.json');
    await writeFile(file, '{}');
    const ending = {
      state: 'finished',
      figures: { 'accuracy.mean': 0.8 },
      facts: { seeds: '2' },
      files: [file],
    } as const;
    await tellGroupEnd({ 'watching.mlflow': played.url }, { group, ending, reporter: silentReporter });
    assert.equal(parent?.status, 'FINISHED');
    assert.deepEqual(valuesOf(parent as LoggedRun, 'accuracy.mean'), [[0, 0.8]]);
    assert.deepEqual([...(parent?.files.keys() ?? [])], ['seeds.json']);
  });

  it('is left alone after one warning where it fails, and learns of no secret', async (t) => {
    const played = await startMlflow(t);
    const faults: readonly (Fault | 'away')[] = [
      500,
      401,
      'hangs',
      'resets',
      'is another',
      'has moved',
      'away',
    ];
    for (const fault of faults) {
      const paths = await startVolume(await temporaryDirectory(t));
      played.fails = () => (fault === 'away' ? undefined : fault);
      const { host } = new URL(fault === 'away' ? await freeAddress() : played.url);
      const warnings = await tellSession(paths, { events: WHOLE, url: `http://someone:s3cret@${host}` });
      assert.equal(warnings.length, 1, `${fault}: ${warnings.join('\n')}`);
      assert.match(`${warnings[0]}`, /MLflow/);
      assert.doesNotMatch(`${warnings[0]}`, /s3cret|someone/);
    }
    assert.deepEqual(played.runs, []);
    const basic = `Basic ${Buffer.from('someone:s3cret').toString('base64')}`;
    assert.ok(played.requests.every(({ authorization }) => authorization === basic));
  });

  it('has the run without its files where it keeps them elsewhere', async (t) => {
    const played = await startMlflow(t);
    played.artifactRoot = 's3://bucket';
    const paths = await startVolume(await temporaryDirectory(t));
    await writeFile(paths.report, '<p>report</p>');
    const warnings = await tellSession(paths, { events: WHOLE, url: played.url });
    assert.equal(warnings.length, 1);
    assert.match(`${warnings[0]}`, /has the run without its files: .*--serve-artifacts/);
    assert.equal(only(played).status, 'FINISHED');
  });

  it('is asked with the credentials of the environment, and told nothing where nobody asks for it', () => {
    const url = 'https://mlflow.example';
    const warnings: string[] = [];
    const place = (given: Readonly<Record<string, string>>, environment: Readonly<Record<string, string>>) =>
      mlflowPlace(given, { environment, warn: (message) => void warnings.push(message) });
    const token = { MLFLOW_TRACKING_URI: `${url}/`, MLFLOW_TRACKING_TOKEN: 't0ken' };
    assert.deepEqual(place({}, token), {
      address: { url, authorization: 'Bearer t0ken' },
      experiment: 'fedbatch',
    });
    const named = { ...token, MLFLOW_EXPERIMENT_NAME: 'digits', MLFLOW_TRACKING_USERNAME: 'me' };
    assert.equal(place({}, named)?.address.authorization, `Basic ${Buffer.from('me:').toString('base64')}`);
    assert.equal(place({}, named)?.experiment, 'digits');
    assert.equal(place({ 'watching.mlflowExperiment': 'mine' }, named)?.experiment, 'mine');
    assert.equal(place({ 'watching.mlflow': 'off' }, token), undefined);
    assert.equal(place({}, {}), undefined);
    assert.deepEqual(warnings, []);
    assert.equal(place({}, { MLFLOW_TRACKING_URI: 'postgresql://me:s3cret@db/mlflow' }), undefined);
    assert.match(warnings.join('\n'), /^MLFLOW_TRACKING_URI holds no address/);
    assert.doesNotMatch(warnings.join('\n'), /s3cret/);
  });
});
