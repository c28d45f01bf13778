/** What passes between the simulator's main thread and its workers: plain data, large arrays in shared memory. */
import type { ErrorMessage } from '../lib/core/errors.js';
import type { Weights } from '../lib/core/weights.js';
import type { Judgements } from '../lib/engine/accuracy.js';
import type { LocalTrainingProgress, TrainingPlan } from '../lib/engine/local-training.js';
import type { Extras } from '../lib/federation/client-side.js';
import type { Examples } from '../lib/federation/examples.js';
import type { VirtualShards } from '../lib/federation/partition/client-holdout.js';
import type { StrategyName } from '../lib/federation/strategies/strategy-settings.js';
import type { Measured, MeasuringPlan } from '../lib/federation/update-measures.js';
import type { ClientTest, HeldOutTest } from '../lib/formats/accuracy-record.js';
import type { EpochRecord } from '../lib/formats/stage-results.js';
import type { Model } from '../lib/model/model-description.js';
import type { Task } from '../lib/model/tasks/task.js';
import type { EngineChoice } from '../lib/settings/parts/engine.js';

/** Examples and the file that they come from; the arrays are shared by all threads. */
export interface SharedExamples {
  readonly examples: Examples;
  readonly file: string;
}

/** What a worker is started with. */
export interface WorkerSetup {
  readonly plan: TrainingPlan;
  readonly train: SharedExamples;
  readonly shards: VirtualShards;
  readonly test: SharedExamples;
  /** What the model learns: clients' held-out examples are judged by it. */
  readonly task: Task;
  readonly model: Model;
  readonly strategy: StrategyName;
  /** The run's volume, for a strategy whose clients keep something between rounds. */
  readonly volume: string | undefined;
}

/**
 * What the trainings of a round share. It goes to each worker once: memory that threads share is quickly passed on, but
 * each time takes a copy of its description, and counts as new memory for the garbage collector.
 */
export interface SimulatedRound {
  readonly kind: 'round';
  readonly round: number;
  /** The model that clients start from, its weights in memory that all threads share. */
  readonly global: { readonly file: string; readonly weights: Weights; readonly sha256: string };
  /** The round's; else that of the plan. */
  readonly learningRate?: number | undefined;
  /** Where updates go. */
  readonly slots: readonly UpdateSlot[];
  /** How each is measured; undefined where nothing is told of single clients. */
  readonly measuring: MeasuringPlan | undefined;
}

/** Shared memory for an update on its way, and for what is measured of it. */
export interface UpdateSlot {
  readonly weights: Weights;
  readonly sums: Float32Array;
}

/** One client's training in the round that was told. */
export interface SimulatedTask {
  readonly kind: 'train';
  readonly client: number;
  /** The number of the slot that its update goes into: the main thread has read it when it gives it out again. */
  readonly slot: number;
}

/** A part of the accuracy test of one model. */
export interface JudgeTask {
  readonly kind: 'judge';
  /** The model's file; tasks of one file follow each other, and the model is compiled once. */
  readonly file: string;
  readonly model: Model;
  readonly task: Task;
  readonly from: number;
  readonly to: number;
}

/** A test of one model on what each of some clients holds out. */
export interface ClientsTask extends Pick<JudgeTask, 'file' | 'model'> {
  readonly kind: 'clients';
  readonly clients: readonly number[];
}

/** Work for a worker. */
export type WorkerTask = SimulatedTask | JudgeTask | ClientsTask;

/** What was found of an update where it was made. */
export interface ExaminedUpdate {
  /** Why its weights cannot be averaged; null where they can. */
  readonly unusable: string | null;
  /** The sum of the squares of its differences, beside what is in its slot; undefined where it was not measured. */
  readonly squares: Measured['squares'] | undefined;
}

/** What a client's training came to; its weights are where the task wanted them. */
export interface TrainedClient extends ExaminedUpdate {
  readonly kind: 'trained';
  readonly examples: number;
  readonly seconds: number;
  /** Of these, those of the training steps themselves. */
  readonly stepSeconds: number;
  /** Means over the last epoch. */
  readonly loss: number;
  readonly accuracy?: number | undefined;
  /** What the strategy needs beside the weights. */
  readonly extras?: Extras | undefined;
  /** How the client does on what it holds out, where it holds something out. */
  readonly heldOut?: HeldOutTest | undefined;
  readonly epochs?: readonly EpochRecord[] | undefined;
}

/** A training that failed; the other clients' go on. */
export interface FailedClient {
  readonly kind: 'failed';
  readonly reason: string;
}

/** Judgements of a part of the test examples. */
export interface JudgedPart {
  readonly kind: 'judged';
  readonly judgements: Judgements;
}

/** What a model came to on what each of the clients holds out. */
export interface TestedClients {
  readonly kind: 'tested';
  readonly tests: readonly ClientTest[];
}

/** What came of a task. */
export type TaskResult = TrainedClient | FailedClient | JudgedPart | TestedClients;

/** The engine that a worker has found. */
export interface WorkerEngine {
  /** What trainings run on, e.g. `onnx/cpu with blocks of 16`. */
  readonly title: string;
  /** Why this one. */
  readonly why: string;
  /** Asks for the same one by its name. */
  readonly choice: EngineChoice;
}

/** How far the training of a client is. */
export interface WorkerProgress extends Pick<SimulatedRound, 'round'>, Pick<SimulatedTask, 'client'> {
  readonly progress: LocalTrainingProgress;
  /** Since its first step began. */
  readonly seconds: number;
}

/**
 * What a worker says: first that it is ready, then a result for each task, in order, and how far trainings are that take
 * their time; or what ends it.
 */
export type WorkerMessage =
  | { readonly kind: 'ready'; readonly engine: WorkerEngine }
  | ({ readonly kind: 'progress' } & WorkerProgress)
  | { readonly kind: 'result'; readonly result: TaskResult }
  | { readonly kind: 'broken'; readonly error: ErrorMessage };
