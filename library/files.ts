/**
 * The files of a run: numpy arrays, datasets and shards, Keras models, and the records on a volume.
 *
 * ```ts
 * import { readKerasFile, readVolume } from 'fedbatch/files';
 *
 * const { rounds } = await readVolume('runs/first');
 * const { weights, update } = await readKerasFile('runs/first/rounds/0001/updates/0.h5');
 * ```
 *
 * @module
 */
import { volumePaths } from '../lib/formats/volume.js';
import { type RunRecords, readRunRecords } from '../report/records.js';

export { DataError, type DataProblem, ExitCode, FedbatchError, StorageError } from '../lib/core/errors.js';
export type { WeightArray, Weights } from '../lib/core/weights.js';
export type { ExtraKind, Extras } from '../lib/federation/client-side.js';
export type { UpdateFacts } from '../lib/federation/client-update.js';
export type {
  Dataset,
  ExampleInput,
  Examples,
  ExampleTargets,
  ExampleValues,
  TargetKind,
  TargetKinds,
} from '../lib/federation/examples.js';
export type { PartitionSettings } from '../lib/federation/partition/settings.js';
export type { PrivacyRecord } from '../lib/federation/privacy/privacy-record.js';
export type { ClipNorm } from '../lib/federation/strategies/clip-norm.js';
export type { PrivacySettings, StrategySettings } from '../lib/federation/strategies/strategy-settings.js';
export type { AccuracyRecord } from '../lib/formats/accuracy-record.js';
export {
  readDataset,
  readShard,
  type ShardOptions,
  type Tell,
  type WrittenFile,
} from '../lib/formats/data/dataset.js';
export {
  decodeNpy,
  encodeNpy,
  type NpyArray,
  type NpyDtype,
  type NpySource,
  type NpyValues,
  type WritableValues,
} from '../lib/formats/data/npy.js';
export { encodeNpz, type NamedArray, type NpzArchive, openNpz } from '../lib/formats/data/npz.js';
export { writeShard } from '../lib/formats/data/shard-file.js';
export type { WantedTargets } from '../lib/formats/data/target-array.js';
export type { ReadLimits } from '../lib/formats/files/read-file.js';
export type { FloatBytes } from '../lib/formats/hdf5/float-bytes.js';
export type { KerasFile } from '../lib/formats/keras/keras-file.js';
export {
  decodeKerasFile,
  encodeKerasFile,
  type KerasFormat,
  type ReadOptions,
  readKerasFile,
  readUpdateFacts,
  writeKerasFile,
} from '../lib/formats/keras/keras-hdf5.js';
export { type Manifest, readManifest } from '../lib/formats/manifest.js';
export {
  type ClientRecord,
  type RoundRecord,
  type RunRecord,
  readRoundRecord,
  readRunRecord,
} from '../lib/formats/run-record.js';
export type { RunFailure } from '../lib/formats/run-results.js';
export type { RunState, Session } from '../lib/formats/runs/sessions.js';
export {
  type ClientPlace,
  type RoundPaths,
  type SelectedPlace,
  type VolumePaths,
  volumePaths,
} from '../lib/formats/volume.js';
export type { RunSettings } from '../lib/settings/table.js';
export type { ReportedAccuracy, RunRecords } from '../report/records.js';

/**
 * Reads everything that the records on a volume tell of its run.
 *
 * @param root directory of the run
 * @throws {DataError} when `run.json` is missing, or a record that is there is damaged
 */
export function readVolume(root: string): Promise<RunRecords> {
  return readRunRecords(volumePaths(root));
}
