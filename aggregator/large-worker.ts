/** A thread beside the aggregator's own that reads large models, too: examines an update, or averages a piece. */
import { parentPort, workerData } from 'node:worker_threads';
import { strategyNamed } from '../lib/federation/strategies/strategy-named.js';
import { beginMeasuring } from '../lib/federation/update-measures.js';
import { averagePiece, examineNumbers, type PieceMeans } from './large-numbers.js';
import type { LargeAnswer, LargeSetup, LargeTask } from './large-thread.js';

const { settings, facts, ...setup } = workerData as LargeSetup;
const strategy = strategyNamed(settings, facts);
let pieces: PieceMeans = { ...setup, strategy, updates: [], round: 0 };

async function answerTo(task: LargeTask): Promise<LargeAnswer> {
  if (task.kind === 'average') {
    if (task.of !== undefined) pieces = { ...pieces, ...task.of };
    return { kind: 'averaged', values: await averagePiece(task.piece, pieces) };
  }
  const measuring = task.measure && beginMeasuring(task.measure);
  const unusable = examineNumbers(task.update, { ...setup, measuring });
  return { kind: 'examined', unusable, measured: measuring?.end() };
}

parentPort?.on('message', (task: LargeTask) => {
  // Whoever asked does it then, and hears what is wrong.
  const failed = (): LargeAnswer => ({ kind: 'failed' });
  void answerTo(task)
    .catch(failed)
    .then((answer) => parentPort?.postMessage(answer));
});
