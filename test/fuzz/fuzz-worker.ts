/** The process that makes inputs and reads them: it may hang, grow or end by any of them, and is replaced then. */
import { openSync, writevSync } from 'node:fs';
import { randomStream } from '../../lib/core/random.js';
import { nameOf } from './corpus.js';
import { startCoverage } from './coverage.js';
import type { Cost, WorkerReply, WorkerRequest, WorkerStart } from './messages.js';
import { mutate, pick } from './mutate.js';
import { type FuzzTarget, type Outcome, outcomeOf } from './target.js';
import { targetNamed } from './targets/registry.js';

/** Asking what has run costs as much as some inputs: it is asked once for so many, and again where they found something. */
const BATCH = 32;
/** More than this above what the process took at its beginning is looked at. */
const MOST_ADDED_BYTES = 256 * 2 ** 20;
const MOST_CPU_MS = 2_000;
/** Messages of errors are found too; of one that holds the input there would be no end. */
const MOST_SHAPES = 500;
/** Reads of one input to make it smaller. */
const MOST_REDUCTIONS = 400;

/** Of the readers, and the libraries that they read with; of the tests' own code that of what is made to fail alone. */
const coverage = startCoverage((url) => !/\/dist\/test\//.test(url) || url.endsWith('/flawed.js'));
const say = (reply: WorkerReply): void => {
  process.send?.(reply);
};

let target: FuzzTarget;
let current: number;
let reads = 0;
/** Which input of its piece is read. */
let index = 0;
let baselineBytes = 0;
let isGuided = true;
const corpus: Uint8Array[] = [];
/** Those of them that end as a value: what is near to them goes far. */
const taken: Uint8Array[] = [];
const names = new Set<string>();
const shapes = new Set<string>();
const failed = new Set<string>();

const peakBytes = (): number => process.resourceUsage().maxRSS * 1024;

async function start(given: WorkerStart): Promise<void> {
  ({ isGuided } = given);
  current = openSync(given.currentFile, 'w');
  target = await (await targetNamed(given.target))(given.directory);
  for (const input of [...target.seeds, ...given.corpus]) keep(input);
  // What runs but once, and the code of the first reading, belongs to no input; nor does the memory that it takes.
  if (isGuided) {
    for (const input of corpus) {
      const { outcome } = await readOne(input);
      shapes.add(outcome.shape);
      if (isValue(outcome)) taken.push(input);
    }
    coverage.look().remember();
  } else for (const input of target.seeds.slice(0, 3)) await readOne(input);
  baselineBytes = peakBytes();
  say({ kind: 'ready', baselineBytes, seenBytes: coverage.seenBytes(), inputs: corpus.length });
}

const isValue = ({ kind }: Outcome): boolean => kind === 'value';

/** False for one that is there. */
function keep(input: Uint8Array, outcome?: Outcome): boolean {
  const name = nameOf(input);
  if (names.has(name)) return false;
  names.add(name);
  const own = Uint8Array.from(input);
  corpus.push(own);
  if (outcome !== undefined && isValue(outcome)) taken.push(own);
  return true;
}

interface Read {
  readonly outcome: Outcome;
  readonly cost: Cost;
}

/** Reads an input, which is written down before: whoever finds this process gone looks there. */
async function readOne(input: Uint8Array, read = target.read): Promise<Read> {
  const head = Buffer.from(Uint32Array.of(++reads, input.length, index).buffer);
  writevSync(current, [head, input], 0);
  const before = process.cpuUsage();
  const outcome = await outcomeOf({ read }, Uint8Array.from(input));
  const { user, system } = process.cpuUsage(before);
  return {
    outcome,
    cost: { cpuMs: (user + system) / 1000, addedBytes: Math.max(0, peakBytes() - baselineBytes) },
  };
}

async function run({ seed, piece, from, to }: Extract<WorkerRequest, { kind: 'run' }>): Promise<void> {
  const outcomes: Record<string, number> = {};
  let most: Cost = { cpuMs: 0, addedBytes: 0 };
  index = from;
  for (let first = from; first < to; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, to - first) }, (_, at) =>
      inputOf(seed, piece, first + at),
    );
    for (const [at, input] of batch.entries()) {
      index = first + at;
      const { outcome, cost } = await readOne(input);
      outcomes[outcome.kind] = (outcomes[outcome.kind] ?? 0) + 1;
      most = {
        cpuMs: Math.max(most.cpuMs, cost.cpuMs),
        addedBytes: Math.max(most.addedBytes, cost.addedBytes),
      };
      tell(outcome, input);
      if (cost.cpuMs > MOST_CPU_MS || cost.addedBytes > MOST_ADDED_BYTES) {
        // The rest of the piece is for a fresh process, which begins with none that cost as much.
        say({ kind: 'suspect', input, cost, next: first + at + 1, outcomes });
        return;
      }
      if (isNewShape(outcome) && keep(input, outcome)) say({ kind: 'kept', input });
    }
    const found = coverage.look();
    if (found.bytes > 0) await keepWhatFound(batch);
    // What ran once and not again is of no input.
    found.remember();
  }
  say({ kind: 'ran', outcomes, seenBytes: coverage.seenBytes(), most });
}

/** The same input of the same corpus, whoever makes it. */
function inputOf(seed: number, piece: number, index: number): Buffer {
  const random = randomStream(seed, 'fuzz', piece, index);
  const all = random.uniform() < 0.6 && taken.length > 0 ? taken : corpus;
  // Those that came last lead on most often.
  const newest = random.uniform() < 0.3 ? Math.max(0, all.length - 16) : 0;
  const base = all[random.integer(newest, all.length - 1)] as Uint8Array;
  const ingredients = { random, words: target.words ?? [], other: pick(random, corpus) };
  return mutate(base, ingredients, target.reshape);
}

function isNewShape({ shape }: Outcome): boolean {
  if (shapes.has(shape) || shapes.size >= MOST_SHAPES) return false;
  shapes.add(shape);
  return true;
}

function tell(outcome: Outcome, input: Uint8Array): void {
  if (outcome.failure === undefined) return;
  const what = whatOf(outcome);
  if (failed.has(what)) return;
  failed.add(what);
  say({ kind: 'failure', failure: { what, input, detail: outcome.failure } });
}

/** The error and where it came from: the same mistake, whatever the input. */
function whatOf({ kind, failure = '' }: Outcome): string {
  const frame = /at .*?([\w-]+\.[cm]?js:\d+)/.exec(failure)?.[1] ?? '';
  return `${kind} ${frame}`.trim();
}

/** Finds who of a batch runs new code, half by half: each look costs as much as reading many. `outcome` is that of its last. */
async function keepWhatFound(batch: readonly Uint8Array[], outcome?: Outcome): Promise<void> {
  const [only] = batch;
  if (only !== undefined && batch.length === 1) {
    if (keep(only, outcome)) say({ kind: 'kept', input: only });
    return;
  }
  const middle = batch.length >> 1;
  for (const half of [batch.slice(0, middle), batch.slice(middle)]) {
    let last: Outcome | undefined;
    for (const input of half) last = (await readOne(input)).outcome;
    const found = coverage.look();
    if (found.bytes === 0) continue;
    await keepWhatFound(half, last);
    found.remember();
  }
}

/** The fewest and shortest inputs that run what all of the corpus runs, and end in each way in which one of them ends. */
async function minimise(mostBytes: number): Promise<readonly Uint8Array[]> {
  const all = corpus.filter(({ length }) => length <= mostBytes).sort((a, b) => a.length - b.length);
  // What the seeds run they will always run.
  coverage.forget();
  for (const seed of target.seeds) await readOne(seed);
  coverage.look().remember();
  const seeds = new Set(target.seeds.map(nameOf));
  const ends = new Set<string>();
  const kept: Uint8Array[] = [];
  for (const input of all) {
    if (seeds.has(nameOf(input))) continue;
    const { outcome } = await readOne(input);
    const found = coverage.look();
    found.remember();
    if (found.bytes > 0 || (!ends.has(outcome.shape) && ends.size < MOST_SHAPES)) kept.push(input);
    ends.add(outcome.shape);
  }
  return kept;
}

/** An input that fails as `input` does, with pieces left out while it does. */
async function reduce(input: Uint8Array): Promise<Uint8Array> {
  const wanted = whatOf((await readOne(input)).outcome);
  let least = Buffer.from(input);
  let left = MOST_REDUCTIONS;
  for (let size = least.length >> 1; size > 0; size >>= 1) {
    for (let at = 0; at < least.length && left > 0; left--) {
      const shorter = Buffer.concat([least.subarray(0, at), least.subarray(at + size)]);
      const { outcome } = await readOne(shorter);
      if (outcome.failure !== undefined && whatOf(outcome) === wanted) least = shorter;
      else at += size;
    }
  }
  return least;
}

async function answer(request: WorkerRequest): Promise<void> {
  switch (request.kind) {
    case 'start':
      return start(request.start);
    case 'run':
      return run(request);
    case 'try': {
      const { outcome, cost } = await readOne(request.input, target.readApart);
      const failure = outcome.failure === undefined ? {} : { failure: outcome.failure };
      return say({ kind: 'tried', outcome: outcome.kind, ...failure, cost });
    }
    case 'minimise':
      return say({ kind: 'minimised', inputs: await minimise(request.mostBytes) });
    case 'reduce':
      return say({ kind: 'reduced', input: await reduce(request.input) });
  }
}

process.on('message', (request: WorkerRequest) => {
  answer(request).catch((error: unknown) => {
    console.error(error);
    process.exit(1);
  });
});
// Whoever asked is gone.
process.on('disconnect', () => process.exit(0));
