/** How every program declares what Prometheus reads of it: one prefix, one registry for each, that of the process included. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** In front of every name. */
const PREFIX = 'fedbatch_';

/** What a metric is called by beside its name. */
interface Described<L extends string> {
  /** One sentence. */
  readonly help: string;
  readonly labels?: readonly L[];
}

/** Metrics are declared here, and read. */
export interface MetricsRegistry {
  readonly contentType: string;
  /** As Prometheus reads them. */
  text(): Promise<string>;
  counter<L extends string = never>(name: string, described: Described<L>): Counter<L>;
  /** With `collect`, its value is asked for whenever somebody reads it. */
  gauge<L extends string = never>(
    name: string,
    described: Described<L> & { readonly collect?: (this: Gauge<L>) => void },
  ): Gauge<L>;
  histogram<L extends string = never>(
    name: string,
    described: Described<L> & { readonly buckets: readonly number[] },
  ): Histogram<L>;
  /** For what pushes it. */
  readonly registry: Registry;
}

/** Makes a registry that holds the metrics of the process: memory, processor, event loop. */
export function createRegistry(): MetricsRegistry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, prefix: PREFIX });
  const named = <L extends string>(name: string, { help, labels = [] }: Described<L>) => ({
    ...{ name: PREFIX + name, help, registers },
    labelNames: [...labels],
  });
  return {
    registry,
    contentType: registry.contentType,
    text: () => registry.metrics(),
    counter: (name, described) => new Counter(named(name, described)),
    gauge: (name, { collect, ...described }) =>
      new Gauge({ ...named(name, described), ...(collect === undefined ? {} : { collect }) }),
    histogram: (name, { buckets, ...described }) =>
      new Histogram({ ...named(name, described), buckets: [...buckets] }),
  };
}
