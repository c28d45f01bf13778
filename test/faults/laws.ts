/** What holds of a disturbed session and of the one after it, whatever the faults; each breach is a sentence. */
import { ExitCode } from '../../lib/core/errors.js';
import { manifestSchema } from '../../lib/formats/manifest.js';
import { metricsEventSchema } from '../../lib/formats/metrics-event.js';
import { type RoundRecord, roundRecordSchema, runRecordSchema } from '../../lib/formats/run-record.js';
import type { Job } from './jobs.js';
import type { Fault, FaultKind } from './schedule.js';
import type { Session } from './session.js';
import { type FileState, isHidden, type VolumeTree } from './volume-tree.js';

const { ok, usage, data, threshold, stage } = ExitCode;

/** How a session may end that met a fault. */
const ENDINGS: Readonly<Record<FaultKind, readonly number[]>> = {
  // What a stage of a run lost is tried again, or named.
  kill: [ok, stage],
  errno: [ok, data],
  short: [ok],
  slow: [ok],
  clock: [ok],
  stop: [ok],
  // A record that is gone tells no more whose the volume is.
  delete: [ok, usage, data, threshold, stage],
  flip: [ok, usage, data, threshold, stage],
  // Whoever comes second is refused, whether that is it or the other one.
  second: [ok, usage],
};

/** Of two splits into one directory the one that began last goes on; a Job tries the other one again, as exit code 5 asks for. */
const SPLIT_SINCE = /^error: \S+: another split has begun there since, and this one writes nothing more\.$/m;

/** What no user may read, whatever happened. */
const UNCLEAR = [
  /this is a bug/,
  /Unknown system error|UNKNOWN: unknown error/,
  /\bundefined\b/,
  /\[object /,
  /^ {4}at .+:\d+:\d+\)?$/m,
  /^(Type|Range|Reference|Syntax)Error\b/m,
];

/** Of how a session ended: its exit code is that of a fault that it met, its sentences are clear. */
export function endingBreaches(session: Session, faults: readonly Fault[]): readonly string[] {
  const { exitCode, signal, isTimedOut, stderr } = session;
  const breaches: string[] = [];
  if (isTimedOut) return ['expected the command to end, found that it hangs'];
  const isKilled = faults.some(({ kind }) => kind === 'kill');
  const isOvertaken = faults.some(({ kind }) => kind === 'second') && SPLIT_SINCE.test(stderr);
  const endings = faults.flatMap(({ kind }) => ENDINGS[kind]);
  const allowed = [...new Set([ok, ...endings, ...(isOvertaken ? [stage] : [])])];
  if (exitCode === undefined && !(isKilled && signal === 'SIGKILL'))
    breaches.push(`expected an exit code, found the signal ${signal}`);
  if (exitCode !== undefined && !allowed.includes(exitCode as ExitCode))
    breaches.push(`expected exit code ${allowed.join(' or ')}, found ${exitCode}`);
  const unclear = UNCLEAR.flatMap((pattern) => pattern.exec(stderr)?.[0].trim() ?? []);
  if (unclear.length > 0) breaches.push(`expected clear sentences, found "${unclear.join('", "')}"`);
  if (exitCode !== undefined && exitCode !== ok && !/\berror: \S/.test(stderr))
    breaches.push('expected a sentence about the failure, found none');
  const [only] = faults;
  if (exitCode === data && faults.length === 1 && only?.kind === 'errno' && !stderr.includes(only.errno))
    breaches.push(`expected a sentence that names ${only.errno}, found none`);
  return breaches;
}

const SCHEMAS = [
  [/^run\.json$/, runRecordSchema],
  [/round\.json$/, roundRecordSchema],
  [/manifest\.json$/, manifestSchema],
] as const;

/** Of what readers find after a session: files whole, as they were at some time of an undisturbed one; `struck` are none of its doing. */
export function visibleBreaches(tree: VolumeTree, job: Job, struck: ReadonlySet<string>): readonly string[] {
  const breaches: string[] = [];
  for (const [path, file] of tree) {
    if (isHidden(path) || struck.has(path)) continue;
    const versions = job.versions.get(path);
    if (versions === undefined) breaches.push(`expected no file ${path}, found one`);
    else if (isUnlike(path, file, job, versions)) breaches.push(`${path}: ${faultOf(path, file)}`);
  }
  return breaches;
}

function isUnlike(path: string, file: FileState, job: Job, versions: ReadonlySet<string>): boolean {
  if (/\.(h5|npz)$/.test(path)) return job.isPrivate !== true && !versions.has(file.meaning);
  return faultOf(path, file) !== '';
}

/** What is wrong with a file by itself. */
function faultOf(path: string, { bytes, meaning, sha256 }: FileState): string {
  if (/\.(h5|npz)$/.test(path))
    return `expected bytes of an undisturbed job, found others (${bytes.length} bytes)`;
  if (path.endsWith('metrics.jsonl')) return eventFault(bytes);
  if (/\.(json|html)$/.test(path) && meaning === sha256) return 'expected a whole file, found a part of one';
  const schema = SCHEMAS.find(([name]) => name.test(path))?.[1];
  const parsed = schema?.safeParse(JSON.parse(bytes.toString()));
  return parsed?.success === false ? `expected its schema, found ${parsed.error.message}` : '';
}

/** The last line may be cut: the next session drops it. */
function eventFault(bytes: Buffer): string {
  for (const line of bytes.toString().split('\n').slice(0, -1)) {
    try {
      metricsEventSchema.parse(JSON.parse(line));
    } catch {
      return `expected an event on each line but the last, found ${line.slice(0, 200)}`;
    }
  }
  return '';
}

/** Of the undisturbed end after faults: the same files with the same bytes as without any, and nothing else. */
export function endBreaches(
  tree: VolumeTree,
  job: Job,
  struck: ReadonlySet<string> = new Set(),
): readonly string[] {
  const breaches: string[] = [];
  for (const path of tree.keys()) {
    // A stage that somebody starts by hand cannot know whether another one is writing there.
    const isPassedOver = job.isRun !== true && /(^|\/)\.tmp-[^/]*$/.test(path);
    if (!job.end.has(path) && !isPassedOver) breaches.push(`expected no file ${path} in the end, found one`);
  }
  for (const [path, expected] of job.end) {
    const found = tree.get(path);
    // Events are added, and never made again.
    if (found !== undefined && path === 'metrics.jsonl' && struck.has(path)) continue;
    if (found === undefined) breaches.push(`expected a file ${path} in the end, found none`);
    else if (found.meaning !== expected.meaning && !dependsOnSecret(path, job))
      breaches.push(`${path}: expected ${differenceOf(expected, found)}`);
    else if (faultOf(path, found) !== '' && !/\.(h5|npz)$/.test(path))
      breaches.push(`${path}: ${faultOf(path, found)}`);
  }
  return breaches;
}

const dependsOnSecret = (path: string, { isPrivate }: Job) =>
  isPrivate === true && !/^data\/|^run\.json$/.test(path);

/** Of a text, where it begins to differ. */
function differenceOf(expected: FileState, found: FileState): string {
  if (expected.meaning === expected.sha256) return 'the bytes of an undisturbed job, found others';
  const at = [...expected.meaning].findIndex((letter, index) => letter !== found.meaning[index]);
  const part = ({ meaning }: FileState) => meaning.slice(Math.max(0, at - 60), at + 60);
  return `"${part(expected)}", found "${part(found)}"`;
}

/** Files that a session had finished, by its records: a later one leaves them alone. */
export function finishedFiles(tree: VolumeTree): readonly string[] {
  const finished: string[] = [];
  const holds = (path: string, sha256: string | undefined) =>
    sha256 !== undefined && tree.get(path)?.sha256 === sha256;
  const manifest = recordAt(tree, 'data/manifest.json', manifestSchema);
  if (manifest === undefined) return [];
  const { test, shards, virtual } = manifest;
  const parts = [test, ...shards, ...(virtual === undefined ? [] : [virtual.train, virtual.partition])];
  if (!parts.every(({ file, sha256 }) => holds(`data/${file}`, sha256))) return [];
  finished.push('data/manifest.json', ...parts.map(({ file }) => `data/${file}`));
  for (let round = 1; ; round++) {
    const folder = (number: number) => `rounds/${String(number).padStart(4, '0')}`;
    const record: RoundRecord | undefined = recordAt(tree, `${folder(round)}/round.json`, roundRecordSchema);
    if (record === undefined || !holds(`${folder(round)}/global.h5`, record.parent)) return finished;
    finished.push(`${folder(round)}/global.h5`);
    for (const { client, sha256 } of record.reported) {
      const update = `${folder(round)}/updates/${client}.h5`;
      if (holds(update, sha256)) finished.push(update);
    }
    if (!holds(`${folder(round + 1)}/global.h5`, record.aggregate?.sha256)) return finished;
    finished.push(`${folder(round + 1)}/global.h5`);
  }
}

function recordAt<T>(
  tree: VolumeTree,
  path: string,
  schema: { safeParse(value: unknown): { readonly data?: T | undefined } },
): T | undefined {
  const { meaning, sha256, bytes } = tree.get(path) ?? { meaning: '', sha256: '', bytes: Buffer.alloc(0) };
  return meaning === sha256 ? undefined : schema.safeParse(JSON.parse(bytes.toString())).data;
}

/** Of files that were finished before a session: it has not written them again. */
export function repeatedBreaches(
  finished: readonly string[],
  before: VolumeTree,
  after: VolumeTree,
): readonly string[] {
  return finished
    .filter((path) => before.get(path)?.identity !== after.get(path)?.identity)
    .map((path) => `expected ${path}, which was finished, to be left alone, found it written again`);
}

/** Of a run: nobody finds a result that its records do not know of. */
export function resultBreaches(tree: VolumeTree): readonly string[] {
  const result = tree.get('aggregated-model.h5');
  if (result === undefined) return [];
  const known = [...tree.keys()]
    .filter((path) => path.endsWith('round.json'))
    .map((path) => recordAt(tree, path, roundRecordSchema)?.aggregate?.sha256);
  return known.includes(result.sha256)
    ? []
    : ['expected a round.json that knows aggregated-model.h5, found none'];
}

/** Of a private run: a model that anybody may have seen is never made again with other noise. */
export function noiseBreaches(before: VolumeTree, after: VolumeTree): readonly string[] {
  const end = after.get('rounds/0002/global.h5')?.sha256;
  const redraws = recordAt(after, 'rounds/0001/round.json', roundRecordSchema)?.aggregate?.privacy?.redraws;
  return [
    ...['rounds/0002/global.h5', 'aggregated-model.h5']
      .filter((path) => before.has(path) && before.get(path)?.sha256 !== end)
      .map((path) => `expected the model that was seen as ${path}, found one with other noise`),
    ...(redraws === undefined
      ? []
      : [`expected noise that was drawn once, found that ${redraws} was drawn again`]),
  ];
}

/** Of a run that is over: given once more, its command changes nothing but its own protocol. */
export function idleBreaches(before: VolumeTree, after: VolumeTree): readonly string[] {
  const own = /^(metrics\.jsonl|report\.html|logs\/.*)$/;
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((path) => !own.test(path) && before.get(path)?.identity !== after.get(path)?.identity)
    .map((path) => `expected ${path} of a finished run to be left alone, found it changed`);
}
