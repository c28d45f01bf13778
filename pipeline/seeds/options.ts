/** What `--seeds` of `fedbatch run` takes, and what it does not go with. */
import { UsageError } from '../../lib/core/errors.js';

/** A slip of the finger must not take the machine for days. */
export const MAX_SEEDS = 1000;

/** @throws {UsageError} for options that are about one run alone */
export function refuseWithSeeds({
  seeds,
  serve,
  trainers,
}: {
  readonly seeds?: number;
  readonly serve?: true;
  readonly trainers: string;
}): void {
  const many = `--seeds ${seeds}`;
  if (serve) {
    throw new UsageError(
      `--serve does not go with ${many}, which makes as many models: serve one of them afterwards with ` +
        'fedbatch serve --model <volume>/seeds/<seed>/aggregated-model.h5.',
    );
  }
  if (trainers !== 'processes') {
    throw new UsageError(
      `${many} does not go with --trainers ${trainers}: give each run its own --seed, and its own --volume.`,
    );
  }
}
