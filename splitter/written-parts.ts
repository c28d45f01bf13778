/** Writing the files of a split, one after the other. */
import { join } from 'node:path';
import type { ExampleRows, InputRows } from '../lib/federation/example-rows.js';
import { type Examples, exampleCount, labelsIn, takeTargets } from '../lib/federation/examples.js';
import { writeShardRows } from '../lib/formats/data/shard-file.js';
import { PARTITION_NAME, TRAIN_NAME, writePartition } from '../lib/formats/data/virtual-shards.js';
import type { Manifest } from '../lib/formats/manifest.js';
import { type ClientExamples, describeLabels, type ManifestShard } from '../lib/formats/manifest-clients.js';
import { clientTestName } from '../lib/formats/volume.js';
import type { Reporter } from '../lib/observability/events.js';
import type { FilePart, PartRows } from './dealt-parts.js';
import { shardName, TEST_NAME } from './outputs.js';
import type { Plan } from './plan.js';

type WrittenParts = Pick<Manifest, 'shards' | 'virtual' | 'test'>;

interface WritingOptions {
  readonly savedir: string;
  readonly reporter: Reporter;
  readonly signal?: AbortSignal;
}

/** Writes the files of a plan. @throws {StorageError} for a full disk */
export async function writeParts(
  plan: Plan,
  rows: PartRows,
  { savedir, reporter, signal }: WritingOptions,
): Promise<WrittenParts> {
  const { shards, kept, test, classes } = plan;
  const write = async (file: string, part: FilePart): Promise<ManifestShard> => {
    signal?.throwIfAborted();
    const { source, indices, owner } = part;
    const { weights } = source;
    const inputs: InputRows[] = [];
    for (const at of source.inputs.keys()) inputs.push(await rows(part, at));
    const examples = {
      inputs: inputs as unknown as ExampleRows['inputs'],
      targets: takeTargets(source, indices),
      ...(weights === undefined
        ? {}
        : { weights: Float32Array.from(indices, (at) => weights[at] as number) }),
    };
    const written = await writeShardRows(join(savedir, file), examples);
    return { file, ...describeClient(examples, { owner, classes }), ...written };
  };
  const testPart = await write(TEST_NAME, test);
  if (kept !== undefined) {
    const { sizeBytes, sha256 } = await write(TRAIN_NAME, kept);
    const train = { file: TRAIN_NAME, sizeBytes, sha256 } as const;
    return { shards: [], virtual: { train, ...(await writeLists(plan, kept, savedir)) }, test: testPart };
  }
  const done: Manifest['shards'] = [];
  for (const [client, part] of shards.entries()) {
    const written = await write(shardName(client), part);
    const { ownTest } = part;
    done.push(
      ownTest === undefined ? written : { ...written, heldOut: await write(clientTestName(client), ownTest) },
    );
    reporter.progress({ stage: 'split', done: done.length, total: shards.length, unit: 'shards' });
  }
  return { shards: done, test: testPart };
}

/** The clients' lists of the examples that were kept. */
async function writeLists({ shards, classes }: Plan, { source, indices: kept }: FilePart, savedir: string) {
  const place = new Uint32Array(exampleCount(source));
  for (const [at, index] of kept.entries()) place[index] = at;
  const placesOf = (indices: Uint32Array = new Uint32Array(0)) =>
    indices.map((index) => place[index] as number);
  const partition = await writePartition(join(savedir, PARTITION_NAME), {
    shards: shards.map(({ indices }) => placesOf(indices)),
    heldOut: shards.some(({ heldOut }) => heldOut)
      ? shards.map(({ heldOut }) => placesOf(heldOut))
      : undefined,
  });
  return {
    partition: { file: PARTITION_NAME, ...partition } as const,
    clients: shards.map(({ indices, heldOut, owner }) => {
      const describe = (part: Uint32Array, owner?: string) =>
        describeClient({ targets: takeTargets(source, part) }, { owner, classes });
      return {
        ...describe(indices, owner),
        ...(heldOut === undefined ? {} : { heldOut: describe(heldOut) }),
      };
    }),
  };
}

interface ClientFacts {
  readonly owner: string | undefined;
  readonly classes: number | undefined;
}

function describeClient(
  examples: Pick<Examples, 'targets'>,
  { owner, classes }: ClientFacts,
): ClientExamples {
  const labels = labelsIn(examples);
  return {
    ...(owner === undefined ? {} : { owner }),
    examples: exampleCount(examples),
    ...(labels === undefined || classes === undefined ? {} : describeLabels(labels, classes)),
  };
}
