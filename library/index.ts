/**
 * Federated averaging as calls: the whole job, or its stages one by one.
 *
 * ```ts
 * import { run } from 'fedbatch';
 *
 * const { accuracy, model } = await run({
 *   dataset: { name: 'digits' },
 *   federation: { clients: 3, rounds: 2 },
 *   reporter: { round: (event) => console.log(event.round, event.accuracy) },
 * });
 * ```
 *
 * @module
 */
export type { AggregationOptions } from '../aggregator/call.js';
export type { FormatName } from '../export/format.js';
export {
  DataError,
  type DataProblem,
  ExitCode,
  FedbatchError,
  InterruptedError,
  StageError,
  type StageErrorOptions,
  StorageError,
  ThresholdError,
  UsageError,
} from '../lib/core/errors.js';
export type { AccuracyReport } from '../lib/engine/accuracy.js';
export type { AcrossClients, Spread } from '../lib/federation/across-clients.js';
export type { ExampleInput, Examples, ExampleTargets, ExampleValues } from '../lib/federation/examples.js';
export type { PrivacyRecord } from '../lib/federation/privacy/privacy-record.js';
export type { AccuracyRecord } from '../lib/formats/accuracy-record.js';
export type { ExportedFacts, ExportResult } from '../lib/formats/export-result.js';
export type { Figure, Figures, RepeatedRun } from '../lib/formats/repeated-run.js';
export type { RunSummary } from '../lib/formats/run-results.js';
export type {
  AggregateResult,
  EachResult,
  Rejection,
  SplitSummary,
  TrainResult,
} from '../lib/formats/stage-results.js';
export type {
  Fields,
  ProgressEvent,
  ProgressSource,
  Reporter,
  RoundEvent,
} from '../lib/observability/events.js';
export type { RunSettings } from '../lib/settings/table.js';
export type {
  KerasConfig,
  ModelValue,
  TaskLayer,
  TaskLayerSettings,
} from '../lib/task-file/keras-builders.js';
export {
  defineTask,
  functionalModel,
  input,
  type LossText,
  layer,
  sequentialModel,
  type TaskDefinition,
  type TaskModel,
  type ZooModel,
  zoo,
} from '../lib/task-file/task-definition.js';
export type { CallOptions } from './call.js';
export { type AsClient, type OnClientsCall, runOnClients } from './on-clients.js';
export {
  type ParameterFacts,
  type PartitionFacts,
  partitionFacts as partitions,
  type StrategyFacts,
  strategyFacts as strategies,
} from './registries.js';
export { type FinishedRun, type RepeatedCall, type RunCall, run, runSeeds } from './run.js';
export type {
  Given,
  GivenRunSettings,
  GivenStrategy,
  KeepingSettings,
  ToleranceSettings,
  WatchingSettings,
} from './settings.js';
export {
  type AggregateCall,
  aggregate,
  type EvaluateCall,
  type ExportCall,
  evaluate,
  exportModel,
  type SplitCall,
  split,
  type TrainCall,
  train,
} from './stages.js';
