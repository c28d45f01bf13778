/** How much a client trains in a round: E epochs or a number of steps, with B examples a step. */

/** E local epochs over the shard, or a number of steps that go through epochs in order, down to a single one. */
export type LocalWork =
  | { readonly epochs: number; readonly localSteps?: undefined }
  | { readonly localSteps: number; readonly epochs?: undefined };

/** The work that settings say: steps where they name some, else epochs. */
export function localWorkOf({
  epochs,
  localSteps,
}: {
  readonly epochs?: number | undefined;
  readonly localSteps?: number | undefined;
}): LocalWork {
  return localSteps === undefined ? { epochs: epochs ?? 1 } : { localSteps };
}

/** B: examples per step. `all` is the whole shard in one step, the paper's B = ∞. */
export type BatchSize = number | 'all';

/** A client's work on a shard of a known size. */
interface LocalPlan {
  /** Examples of a full batch. */
  readonly batch: number;
  readonly steps: number;
  /** Epochs that are begun. */
  readonly epochs: number;
  /** Examples of all steps together; an epoch's last batch may be smaller than the others. */
  readonly examples: number;
}

/** What `work` comes to on a shard of `count` examples. */
export function planLocalWork(count: number, work: LocalWork & { readonly batchSize: BatchSize }): LocalPlan {
  const batch = work.batchSize === 'all' ? Math.max(1, count) : work.batchSize;
  const stepsPerEpoch = Math.ceil(count / batch);
  const steps = stepsPerEpoch === 0 ? 0 : (work.localSteps ?? work.epochs * stepsPerEpoch);
  const whole = stepsPerEpoch === 0 ? 0 : Math.floor(steps / stepsPerEpoch);
  const rest = steps - whole * stepsPerEpoch;
  return {
    batch,
    steps,
    epochs: rest > 0 ? whole + 1 : whole,
    examples: whole * count + Math.min(rest * batch, count),
  };
}

/** In words, e.g. `2 local epochs`, `1 local step`. */
export function describeLocalWork({ epochs, localSteps }: LocalWork): string {
  const [count, unit] = localSteps === undefined ? [epochs, 'epoch'] : [localSteps, 'step'];
  return `${count} local ${unit}${count === 1 ? '' : 's'}`;
}
