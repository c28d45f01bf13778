/** One round of a simulation: updates go from the workers through the guards into the strategy, none of them kept. */

import { ThresholdError } from '../lib/core/errors.js';
import { shareWeights, type Weights } from '../lib/core/weights.js';
import type { ModelFromFile } from '../lib/engine/model-file.js';
import { validateUpdate } from '../lib/federation/client-update.js';
import type { ClipNorm } from '../lib/federation/strategies/clip-norm.js';
import { rememberCounted } from '../lib/federation/strategies/server-step.js';
import type { ServerState, Strategy, WeightedUpdate } from '../lib/federation/strategies/strategy.js';
import { createUpdateMeter, measuresTold } from '../lib/federation/update-measures.js';
import type { TrainReply, TrainRoundRequest } from '../lib/formats/simulation-messages.js';
import type { Reporter } from '../lib/observability/events.js';
import { roundTo } from '../lib/observability/format.js';
import { createRoundProgress } from './round-progress.js';
import type { SimulatedRound, SimulatedTask, UpdateSlot } from './worker-messages.js';
import type { WorkerPool } from './worker-pool.js';

/** The global model of a round, as it lies on the volume. */
export interface RoundModel extends ModelFromFile {
  readonly path: string;
}

/** What a round came to. */
export interface TrainedRound {
  readonly request: TrainRoundRequest;
  readonly global: RoundModel;
  readonly strategy: Strategy;
  /** What it started from. */
  readonly state: ServerState;
  /** With the weights of the next global model; or why the strategy made none of these updates. */
  readonly next: ServerState | ThresholdError;
  /** Number of updates that count, and of their examples. */
  readonly updates: number;
  readonly examples: number;
  readonly account: Pick<TrainReply, 'reported' | 'rejected' | 'missing'>;
  /** What was found of the updates that count; nothing of a private round. */
  readonly measures: ReturnType<typeof measuresTold>;
  /** Seconds of all training steps. */
  readonly stepSeconds: number;
  /** What the strategy took, beside the training. */
  readonly aggregateSeconds: number;
}

/** What a round needs. */
export interface RoundContext {
  readonly global: RoundModel;
  readonly strategy: Strategy;
  readonly isPrivate: boolean;
  /** As the strategy's settings have it. */
  readonly clipNorm: ClipNorm | undefined;
  /** What the round starts from. */
  readonly state: ServerState;
  readonly pool: WorkerPool;
  readonly reporter: Reporter;
}

/** Trains the clients and aggregates what they report, in the clients' order: the bytes depend on nothing else. */
export async function trainRound(
  request: TrainRoundRequest,
  { global, strategy, isPrivate, clipNorm, state, pool, reporter }: RoundContext,
): Promise<TrainedRound> {
  const { round, learningRate } = request;
  const clients = [...request.clients].sort((a, b) => a - b);
  const account: TrainedRound['account'] = { reported: [], rejected: [], missing: [] };
  const accepted = new Set<number>();
  // Of a private round nothing is told of single clients that the mechanism hides.
  const meter = isPrivate ? undefined : createUpdateMeter(global.model.weights, { most: clients.length });
  const measuring = meter?.plan;
  const slots = updateSlots(pool.window + 1, { like: global.model.weights, sums: measuring?.length ?? 0 });
  const { path: file, sha256, model } = global;
  const parent = { file, sha256, weights: model.weights };
  const shared: SimulatedRound = { kind: 'round', round, global: parent, learningRate, slots, measuring };
  const progress = createRoundProgress({ round, clients: clients.length, reporter });
  let examples = 0;
  let [stepSeconds, aggregateMs] = [0, 0];

  async function* updates(): AsyncGenerator<WeightedUpdate> {
    let at = 0;
    for await (const result of pool.inOrder(tasksOf(clients, slots.length), shared)) {
      const { weights, sums } = slots[at % slots.length] as UpdateSlot;
      const client = clients[at++] as number;
      if (result.kind === 'trained') {
        const { seconds, loss, accuracy, heldOut, epochs } = result;
        stepSeconds += result.stepSeconds;
        const facts = { client, examples: result.examples };
        account.reported.push({
          ...facts,
          seconds: roundTo(seconds, 3),
          loss: roundTo(loss, 6),
          ...(accuracy === undefined ? {} : { accuracy: roundTo(accuracy, 6) }),
          ...(heldOut === undefined ? {} : { heldOut }),
          ...(epochs === undefined ? {} : { epochs: [...epochs] }),
        });
        const like = global.model.weights;
        const { extras, unusable, squares } = result;
        const whyUnusable = () => unusable;
        const kinds = strategy.client?.extras;
        const expected = { round, parent: global.sha256, like, extras: kinds, whyUnusable, accepted };
        const update = { ...facts, round, parent: global.sha256, weights, extras };
        const reason = validateUpdate(update, expected);
        if (reason === null) {
          accepted.add(client);
          examples += facts.examples;
          const givenAt = performance.now();
          if (squares !== undefined) meter?.count({ squares, sums }, facts);
          yield update;
          aggregateMs += performance.now() - givenAt;
        } else account.rejected.push({ client, reason });
      } else if (result.kind === 'failed') account.missing.push({ client, reason: result.reason });
      progress.advance(result);
    }
  }

  const made = await strategy.aggregate(state, updates()).catch((error: unknown) => {
    if (error instanceof ThresholdError) return error;
    throw error;
  });
  const next =
    made instanceof ThresholdError
      ? made
      : rememberCounted(strategy, { next: made, round, counted: [...accepted] });
  return {
    request,
    global,
    strategy,
    state,
    next,
    updates: accepted.size,
    examples,
    account,
    measures: measuresTold(meter, clipNorm),
    stepSeconds,
    aggregateSeconds: aggregateMs / 1000,
  };
}

/** As many as can be under way at a time, for updates with the shapes of `like` and so many sums. */
function updateSlots(
  count: number,
  { like, sums }: { readonly like: Weights; readonly sums: number },
): readonly UpdateSlot[] {
  return Array.from({ length: count }, () => ({
    weights: shareWeights(like),
    sums: new Float32Array(new SharedArrayBuffer(sums * Float32Array.BYTES_PER_ELEMENT)),
  }));
}

function* tasksOf(clients: readonly number[], slots: number): Generator<SimulatedTask> {
  for (const [at, client] of clients.entries()) yield { kind: 'train', client, slot: at % slots };
}
