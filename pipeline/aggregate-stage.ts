/** A round's aggregation on this machine: the updates of the clients that reported become the next global model. */
import { basename } from 'node:path';
import { z } from 'zod';
import { placeFileAtomic, sha256 } from '../lib/formats/atomic-file.js';
import { count, type LocalRun, stopwatch, tell, tellSkipped } from './local-run.js';
import { holds, type RoundLedger } from './round-ledger.js';
import type { AggregateTask, ClientResult, GlobalModel } from './runner.js';
import { lastJsonLine, runStage } from './stage-process.js';

/** The last line that the aggregator writes to stdout. */
const resultSchema = z.object({
  updates: z.int(),
  examples: z.int(),
  rejected: z.array(z.object({ file: z.string(), reason: z.string() })),
  sha256: z.string(),
});

/** Aggregates the updates of a round, unless the global model that lies there was made from the same ones. */
export async function aggregateStage(
  run: LocalRun,
  { task, ledger }: { readonly task: AggregateTask; readonly ledger: RoundLedger },
): Promise<GlobalModel> {
  const { paths, settings } = run;
  const { round, global, updates } = task;
  const stage = { stage: 'aggregate' } as const;
  // The next round's start; after the last round the result itself.
  const isLast = round === settings.federation.rounds;
  const file = isLast ? paths.aggregatedModel : paths.round(round + 1).globalModel;
  const inputs = hashOfInputs(global, updates);
  const { aggregate: earlier } = ledger.record;
  if (earlier?.inputs === inputs && (await holds(file, earlier.sha256))) {
    tellSkipped(
      run,
      stage,
      `round ${round}: ${count(earlier.updates, 'update')}, ${earlier.examples} examples`,
    );
    return { file, sha256: earlier.sha256 };
  }
  const aggregator = {
    ...stage,
    program: 'aggregator/cli.js',
    arguments: [
      ...['--dir', paths.round(round).updates],
      ...['--savefile', file],
      ...['--parent', global.file],
      ...['--round', `${round}`],
      ...['--min-updates', `${updates.length}`],
    ],
  };
  const { result, seconds, took } = await stopwatch(() => runStage(aggregator, run));
  const made = lastJsonLine(aggregator, result, resultSchema);
  const rejected = made.rejected.map(({ file: update, reason }) => ({
    client: Number.parseInt(basename(update), 10) || 0,
    reason,
  }));
  const facts = { inputs, updates: made.updates, examples: made.examples, seconds, sha256: made.sha256 };
  if (!isLast) await placeFileAtomic(file, paths.aggregatedModel);
  await ledger.set({ aggregate: facts, rejected });
  await run.metrics.append({ event: 'aggregate', round, ...facts, rejected });
  tell(run, stage, `round ${round}: ${count(made.updates, 'update')}, ${made.examples} examples  ${took}`);
  return { file, sha256: made.sha256 };
}

function hashOfInputs(global: GlobalModel, updates: readonly ClientResult[]): string {
  const sorted = [...updates].sort((a, b) => a.client - b.client);
  return sha256(JSON.stringify([global.sha256, ...sorted.map((update) => update.sha256)]));
}
