/** The simulator's workers: tasks spread over them, results in the order of the tasks, few of them in memory. */
import { Worker } from 'node:worker_threads';
import { fromErrorMessage, InterruptedError } from '../lib/core/errors.js';
import type {
  SimulatedRound,
  TaskResult,
  WorkerEngine,
  WorkerMessage,
  WorkerProgress,
  WorkerSetup,
  WorkerTask,
} from './worker-messages.js';

/** Workers that have compiled the model. */
export interface WorkerPool {
  readonly engine: WorkerEngine;
  /** Tasks at most that are begun, or done and waiting, while the result of another one is being looked at. */
  readonly window: number;
  /**
   * Does tasks, and yields what came of each, in their order. A result that is there before its turn waits; when too
   * many wait no new task is begun, so that memory depends on the number of workers, not on that of tasks. Each worker
   * hears of the `round` that trainings belong to before its first task. One call at a time.
   */
  inOrder(tasks: Iterable<WorkerTask>, round?: SimulatedRound): AsyncGenerator<TaskResult>;
  /** Stops the workers between two steps, and waits for them. */
  close(): Promise<void>;
}

/** Tasks that a worker has at a time: the next one is there when it ends one, however busy the main thread is. */
const AHEAD = 2;

/** Results, and tasks that become results, of each worker that may wait for their turn behind a slow one. */
const WINDOW_PER_WORKER = 4;

/**
 * New objects of a worker, in MB, before it looks for those that are no longer needed. Buffers of updates wait for that
 * too: with Node's 48 MB every worker keeps some 30 MB of them.
 */
const YOUNG_MB = 6;

/** How many workers there are, how long, and who hears how far they are. */
interface PoolOptions {
  readonly jobs: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: WorkerProgress) => void;
}

/**
 * Starts `jobs` workers. The first one finds the engine, the others take the same.
 *
 * @throws {EngineUnavailableError} where the engine that was asked for does not work
 */
export async function openPool(
  setup: WorkerSetup,
  { jobs, signal, onProgress }: PoolOptions,
): Promise<WorkerPool> {
  const members: Member[] = [];
  const failure = createFailure();
  const stop = () => {
    failure.fail(new InterruptedError());
    for (const { worker } of members) worker.postMessage('stop');
  };
  const close = async () => {
    signal.removeEventListener('abort', stop);
    stop();
    await Promise.all(members.map(({ ended }) => ended));
  };
  signal.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    const first = startMember(setup, { failure, onProgress });
    members.push(first);
    const engine = await orFailure(first.ready, failure);
    const same = { ...setup, plan: { ...setup.plan, engine: engine.choice } };
    for (let job = 1; job < jobs; job++) members.push(startMember(same, { failure, onProgress }));
    await orFailure(Promise.all(members.map(({ ready }) => ready)), failure);
    const window = jobs * WINDOW_PER_WORKER;
    const context = { members, failure, window };
    return {
      ...{ engine, window, close },
      inOrder(tasks, round) {
        if (round !== undefined) for (const { worker } of members) worker.postMessage(round);
        return inOrder(tasks, context);
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The first thing that ended the pool. */
interface Failure {
  readonly reason: { readonly error: unknown } | undefined;
  fail(error: unknown): void;
  /** Called at the first failure: a callback, since racing a promise that outlives thousands of others keeps them all. */
  onFail: () => void;
}

function createFailure(): Failure {
  let reason: Failure['reason'];
  return {
    get reason() {
      return reason;
    },
    fail(error) {
      if (reason !== undefined) return;
      reason = { error };
      this.onFail();
    },
    onFail: () => undefined,
  };
}

/** Waits for `promise`, or throws the failure that comes first. */
function orFailure<T>(promise: Promise<T>, failure: Failure): Promise<T> {
  return new Promise((resolve, reject) => {
    failure.onFail = () => reject(failure.reason?.error);
    if (failure.reason !== undefined) failure.onFail();
    promise.then(resolve, reject);
  });
}

/** One worker. */
interface Member {
  readonly worker: Worker;
  readonly ready: Promise<WorkerEngine>;
  readonly ended: Promise<void>;
  /** Number of tasks that it has; each call of `onResult` is for the oldest. */
  load: number;
  onResult: (result: TaskResult) => void;
}

function startMember(
  setup: WorkerSetup,
  { failure, onProgress }: Pick<PoolOptions, 'onProgress'> & { readonly failure: Failure },
): Member {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: setup,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
  });
  let isReady: (engine: WorkerEngine) => void = () => undefined;
  const member: Member = {
    worker,
    ready: new Promise((resolve) => {
      isReady = resolve;
    }),
    ended: new Promise((resolve) => worker.once('exit', () => resolve())),
    load: 0,
    onResult: () => undefined,
  };
  worker.on('message', (message: WorkerMessage) => {
    if (message.kind === 'ready') isReady(message.engine);
    else if (message.kind === 'progress') onProgress(message);
    else if (message.kind === 'result') member.onResult(message.result);
    else failure.fail(fromErrorMessage(message.error));
  });
  worker.on('error', (error) => failure.fail(error));
  worker.on('exit', (code) => failure.fail(new Error(`a training thread ended early with code ${code}`)));
  return member;
}

interface InOrderContext {
  readonly members: readonly Member[];
  readonly failure: Failure;
  readonly window: number;
}

async function* inOrder(
  tasks: Iterable<WorkerTask>,
  { members, failure, window }: InOrderContext,
): AsyncGenerator<TaskResult> {
  const source = tasks[Symbol.iterator]();
  const results = new Map<number, TaskResult>();
  let [sent, taken] = [0, 0];
  let isExhausted = false;
  let wake: () => void = () => undefined;

  const send = () => {
    while (!isExhausted && sent - taken < window) {
      const member = members.reduce((idlest, each) => (each.load < idlest.load ? each : idlest));
      if (member.load >= AHEAD) return;
      const next = source.next();
      if (next.done) isExhausted = true;
      else give(member, next.value);
    }
  };
  const give = (member: Member, task: WorkerTask) => {
    member.load++;
    queues.get(member)?.push(sent++);
    member.worker.postMessage(task);
  };
  const queues = new Map(members.map((member) => [member, [] as number[]]));
  for (const member of members) {
    member.onResult = (result) => {
      member.load--;
      results.set(queues.get(member)?.shift() as number, result);
      send();
      wake();
    };
  }

  failure.onFail = () => wake();
  send();
  while (!isExhausted || taken < sent) {
    const result = results.get(taken);
    if (result === undefined) {
      if (failure.reason !== undefined) throw failure.reason.error;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    } else {
      results.delete(taken++);
      send();
      yield result;
    }
  }
}
