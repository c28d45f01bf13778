/** Recorders, trainers, aggregators and evaluators that come late, in any order: the records of a run on a cluster stay as they are. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { DataError } from '../../lib/core/errors.js';
import { writeFileAtomic } from '../../lib/formats/files/atomic-file.js';
import { sha256 } from '../../lib/formats/files/read-file.js';
import { writeManifest } from '../../lib/formats/manifest.js';
import { writeRecord } from '../../lib/formats/run-record.js';
import { volumePaths } from '../../lib/formats/volume.js';
import { silentReporter } from '../../lib/observability/events.js';
import { sampleRecords } from '../../test/sample-records.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { openMetrics } from './metrics.js';
import { recordTested, recordTrained } from './rounds.js';

const CLIENTS = [0, 1];
const ROUNDS = [1, 2];
const global = (round: number) => `the model that round ${round} starts from`;
const update = (round: number, client: number) => `the update of client ${client} in round ${round}`;

/** What the Jobs of a round do, by their names. */
function jobsOf(volume: string) {
  const paths = volumePaths(volume);
  const start = (round: number) => ({
    ...{ round, parent: sha256(global(round)), selected: [...CLIENTS], quorum: 2 },
  });
  const recording = async () => ({
    paths,
    reporter: silentReporter,
    metrics: await openMetrics(paths),
  });
  return {
    async train(round: number) {
      for (const client of CLIENTS)
        await writeFileAtomic(paths.round(round).update(client), update(round, client));
    },
    async recordTrained(round: number) {
      const reported = CLIENTS.map((client) => ({
        ...{ client, examples: 10, seconds: 1, loss: 0.5, accuracy: 0.5, engine: 'played' },
        sha256: sha256(update(round, client)),
      }));
      await recordTrained(await recording(), { ...start(round), learningRate: 0.1, reported, missing: [] });
    },
    aggregate: (round: number) => writeFileAtomic(paths.round(round + 1).globalModel, global(round + 1)),
    async evaluate(round: number) {
      const facts = {
        ...{ sha256: sha256(global(round + 1)), examples: 200, loss: 0.5, accuracy: 0.9 - round / 10 },
        ...{ perClass: [], confusion: [] },
      };
      await writeFileAtomic(paths.accuracy, JSON.stringify(facts));
    },
    async recordTested(round: number) {
      const aggregate = {
        updates: 2,
        examples: 20,
        rejected: [],
        seconds: 1,
        sha256: sha256(global(round + 1)),
      };
      const clients = CLIENTS.map((client) => ({ client, norm: 1, cosine: 0.5 }));
      const seconds = { train: 1, aggregate: 1 };
      await recordTested(await recording(), {
        ...start(round),
        aggregate: { ...aggregate, clients },
        seconds,
      });
    },
    /** A trainer on another processor. */
    async trainOtherwise(round: number) {
      await writeFileAtomic(paths.round(round).update(1), 'other bytes');
    },
  };
}

type Job = keyof ReturnType<typeof jobsOf>;
const INORDER: readonly Job[] = ['train', 'recordTrained', 'aggregate', 'evaluate', 'recordTested'];
const STEPS = ROUNDS.flatMap((round) => INORDER.map((job) => ({ round, job })));

/** Somebody who does again what was done before. */
interface Late {
  readonly job: Job;
  readonly round: number;
  /** The step after which it comes. */
  readonly after: number;
}

/** Its trainer comes when another one has reported, its other Jobs at any time after the first of the kind. */
const late: fc.Arbitrary<Late> = fc
  .record({
    job: fc.constantFrom<Job>('recordTrained', 'aggregate', 'evaluate', 'recordTested', 'trainOtherwise'),
    round: fc.constantFrom(...ROUNDS),
    after: fc.nat(STEPS.length - 1),
  })
  .filter(({ job, round, after }) => {
    const first = job === 'trainOtherwise' ? 'recordTrained' : job;
    return STEPS.findIndex((step) => step.job === first && step.round === round) <= after;
  });

/** What a run leaves but for the updates, whose hashes are on record, and the last test. */
async function played(volume: string, others: readonly Late[]): Promise<readonly (readonly string[])[]> {
  const paths = volumePaths(volume);
  const { run, manifest } = sampleRecords();
  assert.ok(manifest !== undefined);
  await writeRecord(paths.run, { ...run, createdAt: 'then' });
  await writeManifest(paths.manifest, manifest);
  await writeFileAtomic(paths.round(1).globalModel, global(1));
  const jobs = jobsOf(volume);
  for (const [at, { job, round }] of STEPS.entries()) {
    try {
      await jobs[job](round);
    } catch (error) {
      // The test of another model: its Job is made anew.
      assert.ok(error instanceof DataError && job === 'recordTested', String(error));
      await jobs.evaluate(round);
      await jobs.recordTested(round);
    }
    for (const each of others.filter(({ after }) => after === at)) await jobs[each.job](each.round);
  }
  const files = readdirSync(volume, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile() && !each.parentPath.endsWith('updates') && each.name !== 'accuracy.json')
    .map(({ parentPath, name }) => join(parentPath, name));
  return files
    .map((path) => {
      const text = readFileSync(path, 'utf8').replaceAll(/"time":"[^"]*",/g, '');
      return [path.slice(volume.length), text];
    })
    .sort();
}

test('whoever comes late and does again what was done changes no record, no result and no event', async (t) => {
  const directory = await temporaryDirectory(t);
  const undisturbed = await played(join(directory, 'undisturbed'), []);
  const events = undisturbed.find(([path]) => path === '/metrics.jsonl')?.[1] ?? '';
  assert.equal(events.trimEnd().split('\n').length, 2 * (CLIENTS.length + 3));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(late, { minLength: 1, maxLength: 5 }), async (others) => {
      assert.deepEqual(await played(join(directory, `${run++}`), others), undisturbed);
    }),
    { numRuns: 10 },
  );
});
