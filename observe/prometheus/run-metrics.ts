/** Prometheus watches a run: its events are gauges, counters and histograms, each with the run's id as a label, at a port or a Pushgateway. */
import { basename } from 'node:path';
import { FEDAVG } from '../../lib/federation/strategies/strategy-settings.js';
import type { TimedEvent } from '../../lib/formats/metrics-event.js';
import { recordedEvents } from '../../lib/formats/runs/event-lines.js';
import type { VolumePaths } from '../../lib/formats/volume.js';
import type { Reporter } from '../../lib/observability/events.js';
import { openOutlets } from '../../lib/prometheus/outlets.js';
import { createRegistry, type MetricsRegistry } from '../../lib/prometheus/registry.js';
import type { PrometheusAsked } from '../../lib/settings/parts/watching.js';
import type { RunWatcher } from '../watcher.js';

/** The metrics of a run. */
export interface RunMetrics {
  readonly metrics: MetricsRegistry;
  event(event: TimedEvent): void;
  /** Id of the run; undefined until it has started. */
  run(): string | undefined;
}

/** Opens the port, or tells the Pushgateway. @throws {UsageError} when the port is taken or the address is not this machine's */
export async function watchRun(
  asked: PrometheusAsked,
  { paths, reporter }: { readonly paths: VolumePaths; readonly reporter: Reporter },
): Promise<RunWatcher> {
  const run = createRunMetrics();
  await hearAgain(run, paths.metrics);
  const group = () => {
    const id = run.run();
    // No stage: it would take the place of the label of that name.
    return id === undefined ? undefined : { run: id };
  };
  const outlets = await openOutlets(asked, { metrics: run.metrics, group, reporter });
  return {
    name: 'Prometheus',
    event: (event) => run.event(event),
    close: () => outlets.close(),
  };
}

/**
 * Counters go on where those of the session before ended, and so do those of a cluster's recorder, each of whose steps is a
 * process of its own.
 */
async function hearAgain(run: RunMetrics, file: string): Promise<void> {
  for await (const events of recordedEvents(file)) for (const event of events) run.event(event);
}

type EventOf<Name extends TimedEvent['event']> = Extract<TimedEvent, { readonly event: Name }>;

/** A turn of a client, or a step of a round: from less than a second to a day. */
const SECONDS = [0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1800, 3600, 10_800, 43_200, 86_400];
const COSINES = [-0.5, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1];
const STATES = ['running', 'finished', 'failed'] as const;
const PARTICIPATION = ['selected', 'reported', 'rejected', 'missing'] as const;

/** Prometheus takes NaN; JSON, which a resumed run's events came through, has null for it. */
const figure = (value: number | null) => value ?? Number.NaN;

/** Declares the metrics. What has not happened yet has no value. */
export function createRunMetrics(): RunMetrics {
  const metrics = createRegistry();
  const { facts, state, seen } = courseMetrics(metrics);
  const quality = qualityMetrics(metrics);
  const { clientSeconds, cosines, stageSeconds, clients, turns, quorum, retries, diverged, failures } =
    participationMetrics(metrics);
  let run: string | undefined;

  const started = (id: string, event: EventOf<'start'>) => {
    facts(id, event);
    // A counter that is there from the beginning shows its first step, too.
    retries.labels(id).inc(0);
    diverged.labels(id).inc(0);
    for (const each of PARTICIPATION) turns.labels(id, each).inc(0);
  };
  const trained = (id: string, { seconds, loss, learningRate }: EventOf<'update'>) => {
    clientSeconds.labels(id).observe(seconds);
    if (!Number.isFinite(figure(loss))) diverged.labels(id).inc();
    quality.trained(id, learningRate);
  };
  const ended = (id: string, event: EventOf<'round'>) => {
    quality.ended(id, event);
    for (const [stage, seconds] of Object.entries(event.seconds))
      stageSeconds.labels(id, stage).observe(seconds);
    for (const each of PARTICIPATION) {
      clients.labels(id, each).set(event[each]);
      turns.labels(id, each).inc(event[each]);
    }
    if (event.quorum !== undefined) quorum.labels(id).set(event.quorum);
  };
  return {
    metrics,
    run: () => run,
    event(event) {
      if (event.event === 'start') run = event.id;
      if (run === undefined) return;
      seen(run, event.time);
      switch (event.event) {
        case 'start':
          started(run, event);
          state(run, 'running');
          break;
        case 'split':
          stageSeconds.labels(run, 'split').observe(event.seconds);
          break;
        case 'update':
          trained(run, event);
          break;
        case 'updates':
          if (event.loss === null) diverged.labels(run).inc();
          quality.trained(run, event.learningRate);
          break;
        case 'retry':
          retries.labels(run).inc();
          break;
        case 'aggregate':
          quality.aggregated(run, event);
          for (const { cosine } of event.clients ?? [])
            if (cosine !== undefined) cosines.labels(run).observe(cosine);
          break;
        case 'evaluation':
          quality.tested(run, event);
          break;
        case 'round':
          ended(run, event);
          break;
        case 'end':
          state(run, 'finished');
          break;
        case 'failure':
          failures.labels(run, event.stage, `${event.exitCode}`).inc();
          state(run, 'failed');
      }
    },
  };
}

/** Which run it is, how far it is, and how it stands. */
function courseMetrics({ gauge }: MetricsRegistry) {
  const labels = ['run'] as const;
  const info = gauge('run_info', {
    help: 'What the run is: 1, with its facts as labels.',
    labels: ['run', 'dataset', 'model', 'strategy', 'partition', 'seed'],
  });
  const clients = gauge('run_clients_configured', { help: 'Clients that there are, K.', labels });
  const rounds = gauge('run_rounds', { help: 'Rounds of the run at most.', labels });
  const state = gauge('run_state', {
    help: 'How the run stands: 1 for running, finished or failed, 0 for the others.',
    labels: ['run', 'state'],
  });
  const started = gauge('run_start_timestamp_seconds', { help: 'When the last session began.', labels });
  const seen = gauge('run_last_event_timestamp_seconds', {
    help: 'When something last happened: what metrics.jsonl has a line of.',
    labels,
  });
  return {
    facts(run: string, { settings, time }: EventOf<'start'>) {
      const { dataset, model, strategy, federation, seed } = settings;
      info.set(
        {
          run,
          dataset: basename(dataset.name),
          model: basename(model.task ?? model.init ?? model.config ?? model.name ?? ''),
          strategy: (strategy ?? FEDAVG).name,
          partition: federation.partition.scheme,
          seed: `${seed}`,
        },
        1,
      );
      clients.labels(run).set(federation.clients);
      rounds.labels(run).set(federation.rounds);
      started.labels(run).set(Date.parse(time) / 1000);
    },
    state(run: string, now: (typeof STATES)[number]) {
      for (const each of STATES) state.labels(run, each).set(each === now ? 1 : 0);
    },
    seen: (run: string, time: string) => seen.labels(run).set(Date.parse(time) / 1000),
  };
}

/** How good the global model is, and what it was made from. */
function qualityMetrics({ gauge }: MetricsRegistry) {
  const labels = ['run'] as const;
  const round = gauge('run_round', { help: 'The last round that is done.', labels });
  const value = gauge('run_metric', {
    help: 'Metrics of the newest global model on the test examples, by name.',
    labels: ['run', 'metric'],
  });
  const loss = gauge('run_loss', { help: 'Loss of the same; NaN where it is not finite.', labels });
  const best = gauge('run_best', {
    help: 'Best value so far of the metric that leads the task: of a classification the accuracy.',
    labels,
  });
  const updates = gauge('run_updates', { help: 'Updates in the newest global model.', labels });
  const examples = gauge('run_examples', { help: 'Their examples.', labels });
  const epsilon = gauge('run_privacy_epsilon', { help: 'Privacy spent so far, of a private run.', labels });
  const rate = gauge('run_learning_rate', { help: 'Learning rate of the newest updates.', labels });
  return {
    trained(run: string, learningRate: number | undefined) {
      if (learningRate !== undefined) rate.labels(run).set(learningRate);
    },
    aggregated(run: string, event: EventOf<'aggregate'>) {
      updates.labels(run).set(event.updates);
      examples.labels(run).set(event.examples);
      const spent = event.privacy?.epsilon ?? undefined;
      if (spent !== undefined) epsilon.labels(run).set(spent);
    },
    tested(run: string, event: EventOf<'evaluation'>) {
      loss.labels(run).set(figure(event.loss));
      if (event.accuracy !== undefined) value.labels(run, 'accuracy').set(event.accuracy);
      for (const [name, found] of Object.entries(event.metrics ?? {})) value.labels(run, name).set(found);
    },
    ended(run: string, event: EventOf<'round'>) {
      round.labels(run).set(event.round);
      if (event.best !== null) best.labels(run).set(event.best);
    },
  };
}

/** Who took part, how long it took, and what went wrong. */
function participationMetrics({ gauge, counter, histogram }: MetricsRegistry) {
  const labels = ['run'] as const;
  return {
    clients: gauge('run_clients', {
      help: 'Clients of the last round that is done, by what became of them.',
      labels: ['run', 'participation'],
    }),
    turns: counter('run_client_turns_total', {
      help: 'Turns of clients in all rounds, by what became of them.',
      labels: ['run', 'participation'],
    }),
    quorum: gauge('run_quorum', { help: 'Fewest valid updates of the last round that is done.', labels }),
    clientSeconds: histogram('run_client_seconds', {
      help: "Seconds of one client's training.",
      labels,
      buckets: SECONDS,
    }),
    cosines: histogram('run_update_cosine', {
      help: 'Cosine of the angle between an update and the mean of its round: 1 where they agree.',
      labels,
      buckets: COSINES,
    }),
    stageSeconds: histogram('run_stage_seconds', {
      help: 'Seconds of each step of the rounds, and of the split.',
      labels: ['run', 'stage'],
      buckets: SECONDS,
    }),
    retries: counter('run_retries_total', { help: 'Trainings that were tried again.', labels }),
    diverged: counter('run_diverged_updates_total', {
      help: 'Updates whose training loss is not finite; of a simulation, rounds that have some.',
      labels,
    }),
    failures: counter('run_failures_total', {
      help: 'Failures of the run, by stage and exit code.',
      labels: ['run', 'stage', 'exit_code'],
    }),
  };
}
