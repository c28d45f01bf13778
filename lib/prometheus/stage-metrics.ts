/** What Prometheus reads of a training or an aggregation: its progress as it is reported, then what it came to. */
import type { ProgressEvent, Reporter } from '../observability/events.js';
import type { PrometheusAsked } from '../settings/parts/watching.js';
import { openOutlets } from './outlets.js';
import { createRegistry, type MetricsRegistry } from './registry.js';

/** The stages that can be watched so. */
export type MeasuredStage = 'train' | 'aggregate';

/** The facts of a stage's result that are metrics, too. */
export interface MeasuredResult {
  readonly client?: number;
  readonly examples: number;
  readonly seconds: number;
  /** Of a training; null where it is not finite. */
  readonly loss?: number | null;
  readonly accuracy?: number | undefined;
  /** Of an aggregation. */
  readonly updates?: number;
  readonly rejected?: readonly unknown[];
}

/** The metrics of one stage. */
export interface StageMetrics {
  readonly metrics: MetricsRegistry;
  progress(event: ProgressEvent): void;
  ended(result: MeasuredResult): void;
}

/** A stage that is watched. */
export interface WatchedStage {
  /** Tells the metrics what it is told. */
  readonly reporter: Reporter;
  ended(result: MeasuredResult): void;
  close(): Promise<void>;
}

/** The run whose stages these are, where somebody has told it: it keeps what they push apart. */
const RUN_VARIABLE = 'FEDBATCH_RUN';

/** Watches a stage. @throws {UsageError} as `openOutlets` does */
export async function watchStage(
  stage: MeasuredStage,
  asked: PrometheusAsked,
  reporter: Reporter,
): Promise<WatchedStage> {
  const { metrics, ...measured } = createStageMetrics(stage);
  const run = process.env[RUN_VARIABLE] ?? '';
  let seen: { readonly client?: number } | undefined;
  const group = () => {
    if (seen === undefined) return undefined;
    const { client } = seen;
    return {
      ...(run === '' ? {} : { run }),
      stage,
      ...(client === undefined ? {} : { client: `${client}` }),
    };
  };
  const outlets = await openOutlets(asked, { metrics, group, reporter });
  return {
    reporter: {
      ...reporter,
      progress(event) {
        seen = event;
        measured.progress(event);
        reporter.progress(event);
      },
    },
    ended(result) {
      seen = result;
      measured.ended(result);
    },
    close: () => outlets.close(),
  };
}

/** Declares the metrics of a stage. */
export function createStageMetrics(stage: MeasuredStage): StageMetrics {
  const metrics = createRegistry();
  const own = stage === 'train' ? trainMetrics(metrics) : aggregateMetrics(metrics);
  return { metrics, ...own };
}

const labels = ['client'] as const;
/** A loss that has overflowed came through JSON, which has no NaN; Prometheus has. */
const lossOf = (loss: number | null) => loss ?? Number.NaN;

function trainMetrics({ gauge }: MetricsRegistry): Omit<StageMetrics, 'metrics'> {
  const of = (name: string, help: string) => gauge(`train_${name}`, { help, labels });
  const epoch = of('epoch', 'The running local epoch, from 1.');
  const epochs = of('epochs', 'Local epochs at most.');
  const done = of('examples_done', 'Examples that training steps have seen, over all epochs.');
  const total = of('examples_planned', 'Examples that all epochs come to.');
  const loss = of('loss', 'Mean training loss of the epoch so far; NaN once training has diverged.');
  const accuracy = of('accuracy', 'Training accuracy of the epoch so far, 0 to 1.');
  const speed = of('examples_per_second', 'Examples a second since training began.');
  const seconds = of(
    'seconds',
    'Seconds from the start of the program to the written update; only once it is.',
  );
  return {
    progress(event) {
      const client = `${event.client ?? 0}`;
      if (event.epoch !== undefined) epoch.labels(client).set(event.epoch);
      if (event.epochs !== undefined) epochs.labels(client).set(event.epochs);
      done.labels(client).set(event.done);
      total.labels(client).set(event.total);
      if (event.loss !== undefined) loss.labels(client).set(lossOf(event.loss));
      if (event.accuracy !== undefined) accuracy.labels(client).set(event.accuracy);
      if (event.examplesPerSecond !== undefined) speed.labels(client).set(event.examplesPerSecond);
    },
    ended(result) {
      const client = `${result.client ?? 0}`;
      if (result.loss !== undefined) loss.labels(client).set(lossOf(result.loss));
      if (result.accuracy !== undefined) accuracy.labels(client).set(result.accuracy);
      seconds.labels(client).set(result.seconds);
    },
  };
}

function aggregateMetrics({ gauge }: MetricsRegistry): Omit<StageMetrics, 'metrics'> {
  const of = (name: string, help: string) => gauge(`aggregate_${name}`, { help });
  const found = of(
    'updates_found',
    'Files that were read, or will be, for what they add to the new global model.',
  );
  const merged = of('updates_merged', 'Updates in the new global model so far.');
  const rejected = of('updates_rejected', 'Files that do not count as updates.');
  const bytes = of('bytes', 'Bytes of the updates that were merged.');
  const examples = of('examples', 'Examples of the updates that were merged; only once all are.');
  const seconds = of(
    'seconds',
    'Seconds from the start of the program to the written model; only once it is.',
  );
  return {
    progress(event) {
      found.set(event.total);
      merged.set(event.merged ?? event.done);
      rejected.set(event.rejected ?? 0);
      bytes.set(event.mergedBytes ?? 0);
    },
    ended(result) {
      if (result.updates !== undefined) merged.set(result.updates);
      if (result.rejected !== undefined) rejected.set(result.rejected.length);
      examples.set(result.examples);
      seconds.set(result.seconds);
    },
  };
}
