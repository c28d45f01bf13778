/** What a reader is told of the rounds: how far the running one is, and one line for each that is done. */
import { reasonToStop, type StopRules } from '../lib/federation/early-stop.js';
import type { Reporter } from '../lib/observability/events.js';
import type { Evaluation, Runner } from './runner.js';

/** The same runner, each of its rounds told. */
export function toldRunner(
  runner: Runner,
  { rules, reporter }: { readonly rules: StopRules; readonly reporter: Reporter },
): Runner {
  const { rounds } = rules;
  let startedAt = 0;
  const accuracies: number[] = [];
  // Of this session: rounds that an earlier one had done took no time.
  const spent: number[] = [];
  const tell = (round: number, { accuracy, loss, isSkipped = false }: Evaluation) => {
    const seconds = (performance.now() - startedAt) / 1000;
    if (!isSkipped) spent.push(seconds);
    const mean = spent.reduce((sum, each) => sum + each, 0) / spent.length;
    const before = accuracies.at(-1);
    accuracies.push(accuracy);
    const isMoreToDo = spent.length > 0 && reasonToStop(accuracies, rules) === undefined;
    reporter.round({
      ...{ round, rounds, accuracy, loss, seconds, isSkipped },
      ...(before === undefined ? {} : { change: accuracy - before }),
      ...(isMoreToDo ? { secondsLeft: mean * (rounds - round) } : {}),
    });
  };
  return {
    init: () => runner.init(),
    async train(task) {
      startedAt = performance.now();
      const source = { stage: 'train' } as const;
      const { round, clients } = task;
      reporter.progress({ ...source, round, rounds, done: 0, total: clients.length, unit: 'clients' });
      return await runner.train(task).finally(() => reporter.close(source));
    },
    aggregate: (task) => runner.aggregate(task),
    async evaluate(task) {
      const evaluation = await runner.evaluate(task);
      tell(task.round, evaluation);
      return evaluation;
    },
  };
}
