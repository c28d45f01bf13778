/** A run on an MLflow server: found again by its tags or made, told in batches within MLflow's limits, never the same twice. */
import { basename } from 'node:path';
import { createSlots } from '../../lib/system/slots.js';
import type { MetricPoint, NamedText } from './points.js';
import { MlflowError, type MlflowServer } from './server.js';

/** How a run stands, in MLflow's words. */
export type MlflowStatus = 'RUNNING' | 'FINISHED' | 'FAILED' | 'KILLED';

/** What a run is, before the server knows it. */
export interface RunIdentity {
  readonly experiment: string;
  readonly name: string;
  /** When it began (ISO 8601): with the id it tells a run from an equal one on another volume. */
  readonly createdAt: string;
  /** fedbatch's own id of it. */
  readonly id: string;
  readonly tags: readonly NamedText[];
  /** The run that this one is a part of. */
  readonly parent?: RunIdentity | undefined;
}

/** What is told of a run at a time. */
interface Told {
  readonly metrics?: readonly MetricPoint[];
  readonly params?: readonly NamedText[];
  readonly tags?: readonly NamedText[];
}

/** A run that the server knows. */
export interface TrackedRun {
  /** Tells it what it does not know yet: of each metric one value a step, of each parameter the first value. */
  tell(told: Told): Promise<void>;
  /** Sets how it stands; with `endedAt` (milliseconds) it is over. */
  set(status: MlflowStatus, endedAt?: number): Promise<void>;
  /** Keeps a file with it. @throws {MlflowError} where the server does not take files itself */
  keep(file: string): Promise<void>;
}

/** What one request holds at most: of MLflow's 1,000 metrics half, which stay far below its megabyte, and 100 parameters or tags. */
const BATCH = { metrics: 500, texts: 100 } as const;

/** A run as the server tells it. */
interface ServerRun {
  readonly info: {
    readonly run_id: string;
    readonly status?: MlflowStatus;
    readonly start_time?: number | string;
    readonly artifact_uri?: string;
  };
  readonly data?: {
    readonly metrics?: readonly { readonly key: string; readonly step?: number | string }[];
    readonly params?: readonly NamedText[];
    readonly tags?: readonly NamedText[];
  };
}

/** Two that make the same run at once may each find their own alone, so a process makes one at a time. */
const making = createSlots(1);

/** Finds the run on the server, or makes it there. @throws {MlflowError} */
export async function trackRun(server: MlflowServer, identity: RunIdentity): Promise<TrackedRun> {
  const found = await making.use(() => findOrMake(server, identity));
  return tracked(server, found);
}

/**
 * Sets how a run above others stands, once so many of these have ended: each of them calls this at its end.
 *
 * @throws {MlflowError}
 */
export async function endWithLast(server: MlflowServer, parent: RunIdentity, runs: number): Promise<void> {
  const experiment = await experimentOf(server, parent.experiment);
  const above = await find(server, experiment, parent);
  if (above === undefined) return;
  const { run_id } = above.info;
  const below = await search(server, experiment, {
    filter: `tags.\`${PARENT_TAG}\` = '${run_id}'`,
    max_results: runs,
  });
  const states = below.map(({ info }) => info.status);
  if (states.length < runs || states.includes('RUNNING')) return;
  const status: MlflowStatus = states.includes('FAILED') ? 'FAILED' : 'FINISHED';
  await server.ask('runs/update', { run_id, status, end_time: Date.now() });
}

/** The tag by which MLflow shows a run below another one. */
const PARENT_TAG = 'mlflow.parentRunId';

async function findOrMake(server: MlflowServer, identity: RunIdentity): Promise<ServerRun> {
  const experiment = await experimentOf(server, identity.experiment);
  const before = await find(server, experiment, identity);
  if (before !== undefined) return before;
  const parent = identity.parent && (await findOrMake(server, identity.parent));
  const { run } = await server.ask<{ readonly run: ServerRun }>('runs/create', {
    experiment_id: experiment,
    run_name: identity.name,
    start_time: Date.parse(identity.createdAt),
    tags: [
      ...identityTags(identity),
      ...identity.tags,
      ...(parent === undefined ? [] : [{ key: PARENT_TAG, value: parent.info.run_id }]),
    ],
  });
  // Another process that made it meanwhile, a trial in another pod for example, most often finds the same one of the two.
  const first = (await find(server, experiment, identity)) ?? run;
  if (first.info.run_id !== run.info.run_id) await server.ask('runs/delete', { run_id: run.info.run_id });
  return first;
}

async function experimentOf(server: MlflowServer, name: string): Promise<string> {
  const look = async () => {
    const { experiment } = await server.look<{
      readonly experiment: { readonly experiment_id: string; readonly lifecycle_stage?: string };
    }>('experiments/get-by-name', { experiment_name: name });
    if (experiment.lifecycle_stage !== 'deleted') return experiment.experiment_id;
    throw new MlflowError(
      `its experiment ${name} was deleted: restore it (mlflow experiments restore), or name another one with --mlflow-experiment`,
      { isPassing: false },
    );
  };
  try {
    return await look();
  } catch (error) {
    if (!isCode(error, 'RESOURCE_DOES_NOT_EXIST')) throw error;
  }
  try {
    const made = await server.ask<{ readonly experiment_id: string }>('experiments/create', { name });
    return made.experiment_id;
  } catch (error) {
    // Somebody was faster.
    if (!isCode(error, 'RESOURCE_ALREADY_EXISTS')) throw error;
    return await look();
  }
}

const isCode = (error: unknown, code: string) => error instanceof MlflowError && error.code === code;

/** The tags that a run is found by. */
const identityTags = ({ id, createdAt }: RunIdentity): readonly NamedText[] => [
  // A filter cannot hold quotes within quotes.
  { key: 'fedbatch.run', value: id.replaceAll("'", '_') },
  { key: 'fedbatch.createdAt', value: createdAt.replaceAll("'", '_') },
];

/** The first that began, of those that two programs made at once. */
async function find(
  server: MlflowServer,
  experiment: string,
  identity: RunIdentity,
): Promise<ServerRun | undefined> {
  const filter = identityTags(identity)
    .map(({ key, value }) => `tags.\`${key}\` = '${value}'`)
    .join(' and ');
  const runs = await search(server, experiment, { filter, max_results: 10 });
  return [...runs].sort((a, b) => (a.info.run_id < b.info.run_id ? -1 : 1))[0];
}

async function search(
  server: MlflowServer,
  experiment: string,
  query: { readonly filter: string; readonly max_results: number },
): Promise<readonly ServerRun[]> {
  const found = await server.ask<{ readonly runs?: readonly ServerRun[] }>('runs/search', {
    experiment_ids: [experiment],
    ...query,
  });
  return found.runs ?? [];
}

function tracked(server: MlflowServer, { info, data = {} }: ServerRun): TrackedRun {
  const { run_id } = info;
  // A server tells the last step of each metric; steps of a metric only grow.
  const lastSteps = new Map((data.metrics ?? []).map(({ key, step = 0 }) => [key, Number(step)]));
  const params = new Map((data.params ?? []).map(({ key, value }) => [key, value]));
  const tags = new Map((data.tags ?? []).map(({ key, value }) => [key, value]));
  const isNew = ({ key, step }: MetricPoint) => {
    if (step <= (lastSteps.get(key) ?? Number.NEGATIVE_INFINITY)) return false;
    lastSteps.set(key, step);
    return true;
  };
  return {
    async tell(told) {
      const metrics = (told.metrics ?? []).filter(isNew);
      const newParams = (told.params ?? []).filter(({ key }) => !params.has(key));
      // MLflow keeps the first value of a parameter for good: what has changed since stands in a tag.
      const changed = (told.params ?? []).filter(
        ({ key, value }) => params.has(key) && params.get(key) !== value,
      );
      // The last of equal names counts; an empty one says no more than none.
      const latest = new Map([...(told.tags ?? []), ...changed].map((tag) => [tag.key, tag]));
      const newTags = [...latest.values()].filter(({ key, value }) => (tags.get(key) ?? '') !== value);
      for (const part of partsOf(metrics, BATCH.metrics))
        await server.ask('runs/log-batch', { run_id, metrics: part });
      for (const part of partsOf(newParams, BATCH.texts))
        await server.ask('runs/log-batch', { run_id, params: part });
      for (const part of partsOf(newTags, BATCH.texts))
        await server.ask('runs/log-batch', { run_id, tags: part });
      for (const { key, value } of newParams) params.set(key, value);
      for (const { key, value } of newTags) tags.set(key, value);
    },
    async set(status, endedAt) {
      await server.ask('runs/update', {
        run_id,
        status,
        ...(endedAt === undefined ? {} : { end_time: endedAt }),
      });
    },
    async keep(file) {
      const [, place] = /^mlflow-artifacts:(?:\/\/[^/]*)?\/(.+)$/.exec(info.artifact_uri ?? '') ?? [];
      if (place === undefined) {
        throw new MlflowError(
          'it has artifacts of this experiment kept elsewhere than with itself, so that model and report are not sent: ' +
            'start it with --serve-artifacts, or name a new experiment with --mlflow-experiment',
          { isPassing: false },
        );
      }
      await server.send(`${place}/${basename(file)}`, file);
    },
  };
}

function* partsOf<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  for (let at = 0; at < all.length; at += size) yield all.slice(at, at + size);
}
