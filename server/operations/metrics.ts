/** What the server counts and times, for Prometheus. Each server has a registry of its own. */
import { createRegistry } from '../../lib/prometheus/registry.js';
import type { AnsweredBatch } from '../models/batching.js';
import type { ModelCard } from '../models/model-card.js';
import type { ServedModels } from '../models/served-models.js';

/** A request that has been answered. */
interface AnsweredRequest {
  /** One of a few: the route, never the address. */
  readonly route: string;
  readonly method: string;
  readonly status: number;
  readonly seconds: number;
}

/** The server's metrics. */
export interface Metrics {
  /** As Prometheus reads them. */
  text(): Promise<string>;
  readonly contentType: string;
  answered(request: AnsweredRequest): void;
  predicted(
    batch: AnsweredBatch,
    model: {
      readonly version: number;
      readonly card: Pick<ModelCard, 'labels' | 'outputs' | 'task'> | undefined;
    },
  ): void;
  /** Watches what is served from now on. */
  watch(models: ServedModels, waitingImages: () => number): void;
}

const LATENCY_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10];
const BATCH_IMAGES = [1, 2, 4, 8, 16, 32, 64, 128, 256];
const CONFIDENCE = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];

/** Makes the metrics, those of the process included. */
export function createMetrics(): Metrics {
  const { text, contentType, counter, gauge, histogram } = createRegistry();
  const requests = histogram('request_duration_seconds', {
    help: 'Time from the head of a request to the end of its answer.',
    labels: ['route', 'method', 'status'],
    buckets: LATENCY_SECONDS,
  });
  const batches = histogram('batch_images', { help: 'Images predicted at once.', buckets: BATCH_IMAGES });
  const predictions = counter('predictions_total', {
    help: 'Images by the class that the model found most probable.',
    labels: ['class', 'model_version'],
  });
  const confidence = histogram('prediction_confidence', {
    help: 'Probability of the most probable class.',
    buckets: CONFIDENCE,
  });

  return {
    ...{ text, contentType },
    answered({ route, method, status, seconds }) {
      requests.labels(route, method, String(status)).observe(seconds);
    },
    predicted({ images, probabilities }, { version, card }) {
      batches.observe(images);
      // Other numbers than probabilities have no most probable one.
      if (card?.task !== undefined) return;
      const labels = card?.labels;
      const classes = probabilities.length / images;
      for (let row = 0; row < images; row++) {
        const own = probabilities.subarray(row * classes, (row + 1) * classes);
        // Of what overflowed nothing is most probable, and a histogram throws on NaN.
        if (!own.every(Number.isFinite)) continue;
        let best = 0;
        for (let each = 1; each < classes; each++) if ((own[each] ?? 0) > (own[best] ?? 0)) best = each;
        predictions.labels(labels?.[best] ?? String(best), String(version)).inc();
        // A logit says nothing of how sure that is.
        if (!card?.outputs?.[0]?.isLogits) confidence.observe(own[best] ?? 0);
      }
    },
    watch(models, waitingImages) {
      gauge('model_info', {
        help: 'The model that answers: its version and the sha256 of its file.',
        labels: ['model', 'version', 'sha256'],
        collect() {
          this.reset();
          const current = models.current();
          const sha256 = current?.predictor.card()?.sha256;
          if (current !== undefined && sha256 !== undefined)
            this.labels(models.name, String(current.version), sha256).set(1);
        },
      });
      gauge('model_refused', {
        help: '1 while the model file is one that was refused.',
        collect() {
          this.set(models.refused() === undefined ? 0 : 1);
        },
      });
      gauge('waiting_images', {
        help: 'Images that wait for a worker.',
        collect() {
          this.set(waitingImages());
        },
      });
    },
  };
}
