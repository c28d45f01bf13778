/** The accuracy test client by client: a model on what each client of a split holds out. */
import { dirname, join } from 'node:path';
import type { ProgramContext } from '../lib/cli/program.js';
import { DataError } from '../lib/core/errors.js';
import type { PredictSession } from '../lib/engine/engine.js';
import { type HeldOutPart, testHeldOut } from '../lib/engine/held-out.js';
import { acrossClients } from '../lib/federation/across-clients.js';
import { exampleCount, takeExamples } from '../lib/federation/examples.js';
import { heldOutIndices } from '../lib/federation/partition/client-holdout.js';
import type { AccuracyRecord, ClientTest } from '../lib/formats/accuracy-record.js';
import { readPartition } from '../lib/formats/data/virtual-shards.js';
import { clientsOf, type Manifest } from '../lib/formats/manifest.js';
import { listedBeside } from '../lib/formats/manifest-facts.js';

/** Examples in a file, as the model takes them. */
type Lesson = Pick<HeldOutPart, 'examples' | 'task'>;

/** Where the clients are, and how their files are read. */
interface PerClientOptions extends Pick<HeldOutPart, 'model' | 'batchSize'> {
  /** The test examples of the split, beside which its manifest lies. */
  readonly data: string;
  /** Reads examples and fits them to the model. */
  readonly read: (file: string, part: 'train' | 'test') => Promise<Lesson>;
}

type ClientRow = ClientTest & { readonly client: number };

/** What `accuracy.json` tells of clients. */
interface PerClient extends Pick<AccuracyRecord, 'acrossClients'> {
  readonly perClient: readonly ClientRow[];
}

/**
 * Tests a model on each client's held-out examples, client by client: the figures of one do not depend on the others.
 *
 * @throws {DataError} when the clients of the split hold nothing out, or a file is missing or damaged
 */
export async function testPerClient(
  session: PredictSession,
  { data, read, ...options }: PerClientOptions,
  { reporter, signal }: ProgramContext,
): Promise<PerClient> {
  const manifest = await listedBeside(data);
  const clients = manifest === undefined ? [] : clientsOf(manifest);
  const total = clients.filter(({ heldOut }) => heldOut).length;
  if (manifest === undefined || total === 0) {
    throw new DataError({
      file: join(dirname(data), 'manifest.json'),
      expected: 'a split whose clients hold examples out (split or run with --client-holdout)',
      found:
        manifest === undefined ? 'no manifest that lists the test examples' : 'that they hold nothing out',
    });
  }
  const perClient: ClientRow[] = [];
  for await (const { client, file, ...lesson } of heldOutParts(manifest, dirname(data), read)) {
    signal.throwIfAborted();
    const found = await testHeldOut(session, { ...options, ...lesson, data: file, signal });
    perClient.push({ client, ...found });
    reporter.progress({ stage: 'evaluate', done: perClient.length, total, unit: 'clients' });
  }
  return { acrossClients: acrossClients(perClient), perClient };
}

interface ClientLesson extends Lesson {
  readonly client: number;
  readonly file: string;
}

/** What each client holds out, one after the other: from a file of its own, or from that of all of a simulation. */
async function* heldOutParts(
  { shards, virtual }: Manifest,
  directory: string,
  read: PerClientOptions['read'],
): AsyncGenerator<ClientLesson> {
  for (const [client, { heldOut }] of shards.entries()) {
    if (heldOut === undefined) continue;
    const file = join(directory, heldOut.file);
    yield { client, file, ...(await read(file, 'test')) };
  }
  if (virtual === undefined) return;
  const file = join(directory, virtual.train.file);
  const { examples, task } = await read(file, 'train');
  const lists = await readPartition(join(directory, virtual.partition.file), exampleCount(examples));
  for (const client of virtual.clients.keys()) {
    const indices = heldOutIndices(lists, client);
    if (indices.length > 0) yield { client, file, task, examples: takeExamples(examples, indices) };
  }
}
