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

/** What the manifest lists. */
export type WrittenParts = Pick<Manifest, 'shards' | 'virtual' | 'test'>;

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
  const write = async ({ file, part }: NamedPart, onRead: () => void): Promise<ManifestShard> => {
    signal?.throwIfAborted();
    const { source, indices, owner } = part;
    const { weights } = source;
    const inputs: InputRows[] = [];
    for (const at of source.inputs.keys()) inputs.push(await rows(part, at));
    const examples = {
      inputs: tellingTheirEnd(inputs, onRead) as unknown as ExampleRows['inputs'],
      targets: takeTargets(source, indices),
      ...(weights === undefined
        ? {}
        : { weights: Float32Array.from(indices, (at) => weights[at] as number) }),
    };
    const written = await writeShardRows(join(savedir, file), examples);
    return { file, ...describeClient(examples, { owner, classes }), ...written };
  };
  const testFile = { file: TEST_NAME, part: test };
  if (kept !== undefined) {
    const files = [testFile, { file: TRAIN_NAME, part: kept }];
    const [testPart, { sizeBytes, sha256 }] = (await overlapped(files, write)) as [
      ManifestShard,
      ManifestShard,
    ];
    const train = { file: TRAIN_NAME, sizeBytes, sha256 } as const;
    return { shards: [], virtual: { train, ...(await writeLists(plan, kept, savedir)) }, test: testPart };
  }
  const clients = shards.map((part, client) => {
    const own = { file: shardName(client), part };
    const { ownTest } = part;
    return ownTest === undefined ? [own] : [own, { file: clientTestName(client), part: ownTest }];
  });
  let done = 0;
  const [testPart, ...written] = (await overlapped([testFile, ...clients.flat()], async (each, onRead) => {
    const facts = await write(each, onRead);
    if (clients.some((files) => files.at(-1) === each))
      reporter.progress({ stage: 'split', done: ++done, total: shards.length, unit: 'shards' });
    return facts;
  })) as [ManifestShard, ...ManifestShard[]];
  const next = written.values();
  const nextFacts = () => next.next().value as ManifestShard;
  return {
    shards: clients.map(({ length }) => {
      const facts = nextFacts();
      return length === 1 ? facts : { ...facts, heldOut: nextFacts() };
    }),
    test: testPart,
  };
}

interface NamedPart {
  readonly file: string;
  readonly part: FilePart;
}

/**
 * Writes one file after the other, each as soon as the rows of the one before are read: a disk takes its time to say that
 * a file is safe. Two are under way at most, and none when this ends.
 *
 * @param write tells when its rows are read, or ends
 */
async function overlapped<T, R>(
  files: readonly T[],
  write: (file: T, onRead: () => void) => Promise<R>,
): Promise<readonly R[]> {
  const all: Promise<R>[] = [];
  try {
    for (const file of files) {
      await new Promise<void>((resolve) => {
        const writing = write(file, resolve);
        all.push(writing);
        writing.then(
          () => resolve(),
          () => resolve(),
        );
      });
      await all.at(-2);
    }
    return await Promise.all(all);
  } finally {
    await Promise.allSettled(all);
  }
}

/** The same inputs, and a word when the last of them is read; at once where all are in memory. */
function tellingTheirEnd(inputs: readonly InputRows[], onRead: () => void): readonly InputRows[] {
  const last = inputs.findLastIndex(({ values }) => values === undefined);
  if (last < 0) onRead();
  return inputs.map((input, at) =>
    at !== last
      ? input
      : {
          ...input,
          async *pieces() {
            yield* input.pieces();
            onRead();
          },
        },
  );
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
