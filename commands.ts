/** The commands of `npx fedbatch`: what each is for, an example, and where its program is. */
import type { CommandBuilder } from './lib/cli/program.js';

/** One command of the overview; its program is loaded only when it is asked for, so that `split` loads no engine. */
interface CommandEntry {
  readonly name: string;
  readonly summary: string;
  readonly example: string;
  load(): Promise<CommandBuilder>;
}

/** In the order in which a job uses them. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'run',
    summary: 'the whole job: split, train every client, aggregate, test and, on request, serve',
    example: 'npx fedbatch run --clients 3 --epochs 2 --serve',
    load: async () => (await import('./pipeline/cli.js')).runCli,
  },
  {
    name: 'sweep',
    summary: 'the whole job for each combination of some settings, and a ranking',
    example: 'npx fedbatch sweep --grid learning-rate=0.1,0.01 --grid clients=3,10',
    load: async () => (await import('./pipeline/sweep/cli.js')).sweepCli,
  },
  {
    name: 'split',
    summary: 'split a dataset into one shard per client',
    example: 'npx fedbatch split --data mnist.npz --clients 3 --out data',
    load: async () => (await import('./splitter/cli.js')).splitCli,
  },
  {
    name: 'init',
    summary: 'write the seeded initial model that all clients start from',
    example: 'npx fedbatch init --data data/0.npz --out rounds/0001/global.h5',
    load: async () => (await import('./trainer/init-cli.js')).initCli,
  },
  {
    name: 'init-task',
    summary: 'write an example of a task: model, loss, preprocessing',
    example: 'npx fedbatch init-task task.ts',
    load: async () => (await import('./trainer/init-task-cli.js')).initTaskCli,
  },
  {
    name: 'train',
    summary: 'train one client on its shard and save its update',
    example: 'npx fedbatch train --data data/0.npz --epochs 2 --batch 100 --out model/0-model.h5',
    load: async () => (await import('./trainer/cli.js')).trainCli,
  },
  {
    name: 'aggregate',
    summary: 'average client updates, weighted by their examples, into the next global model',
    example: 'npx fedbatch aggregate --dir updates --out aggregated-model.h5',
    load: async () => (await import('./aggregator/cli.js')).aggregateCli,
  },
  {
    name: 'evaluate',
    summary: 'test the accuracy of a model on held-out examples',
    example: 'npx fedbatch evaluate --model aggregated-model.h5 --data data/test.npz',
    load: async () => (await import('./evaluator/cli.js')).evaluateCli,
  },
  {
    name: 'serve',
    summary: 'serve a model: a web page to try it, and an API',
    example: 'npx fedbatch serve --model aggregated-model.h5 --port 5000',
    load: async () => (await import('./server/cli.js')).serveCli,
  },
  {
    name: 'predict',
    summary: 'ask a server about a picture, by the REST or gRPC API of TensorFlow Serving',
    example: 'npx fedbatch predict --image seven.png --port 5000',
    load: async () => (await import('./server/predict-cli.js')).predictCli,
  },
  {
    name: 'export',
    summary:
      'write a model for other programs: ONNX, SavedModel, TensorFlow.js, safetensors, .keras; and a model card',
    example: 'npx fedbatch export runs/digits-3x2-1a2b3c4d --to onnx',
    load: async () => (await import('./export/cli.js')).exportCli,
  },
  {
    name: 'k8s',
    summary: 'the job on a Kubernetes cluster',
    example: 'npx fedbatch k8s render --clients 3 --epochs 2 --batch 100 --out deploy',
    load: async () => (await import('./k8s/cli.js')).k8sCli,
  },
  {
    name: 'report',
    summary: 'write a page about a run: result, curves, participation, data',
    example: 'npx fedbatch report --volume runs/digits-3x2-1a2b3c4d',
    load: async () => (await import('./report/cli.js')).reportCli,
  },
  {
    name: 'status',
    summary: 'tell how a run stands: what works, how far it is, or why it is over',
    example: 'npx fedbatch status',
    load: async () => (await import('./report/status/cli.js')).runStatusCli,
  },
  {
    name: 'logs',
    summary: 'print what a run has told, event by event, and follow it',
    example: 'npx fedbatch logs --follow',
    load: async () => (await import('./report/status/cli.js')).runLogsCli,
  },
  {
    name: 'runs',
    summary: 'list runs, with what came of them, or compare some of them',
    example: 'npx fedbatch runs compare first second',
    load: async () => (await import('./report/list/cli.js')).runsCli,
  },
  {
    name: 'tensorboard',
    summary: 'write event files for TensorBoard from the records of a run',
    example: 'npx fedbatch tensorboard runs/digits-3x2-1a2b3c4d',
    load: async () => (await import('./observe/tensorboard/cli.js')).tensorboardCli,
  },
  {
    name: 'watch',
    summary: 'show runs as they go on a page that updates itself',
    example: 'npx fedbatch watch runs/digits-3x2-1a2b3c4d',
    load: async () => (await import('./watch/cli.js')).watchCli,
  },
  {
    name: 'stats',
    summary: "mean, deviation, quantiles and categories of the clients' examples, without moving a row",
    example: 'npx fedbatch stats runs/digits-3x2-1a2b3c4d',
    load: async () => (await import('./stats/cli.js')).statsCli,
  },
  {
    name: 'record',
    summary: "write a run's records onto its volume, for a pipeline outside the volume, as on a cluster",
    example: 'npx fedbatch record --step trained --volume /mnt/runs/a --facts round.json',
    load: async () => (await import('./pipeline/record/cli.js')).recordCli,
  },
  {
    name: 'doctor',
    summary: 'show which engines work on this machine, how fast they are, and what to install',
    example: 'npx fedbatch doctor',
    load: async () => (await import('./doctor/cli.js')).doctorCli,
  },
  {
    name: 'each',
    summary: 'run a command of your own once as each client, and gather its results in order',
    example: 'npx fedbatch each --data data -- python3 count.py {shard}',
    load: async () => (await import('./pipeline/each-cli.js')).eachCli,
  },
  {
    name: 'as-client',
    summary: 'run a command of your own as one client: what each does, by hand or by a scheduler',
    example: 'npx fedbatch as-client --client 0 --size 3 --shard data/0.npz -- python3 count.py {shard}',
    load: async () => (await import('./each/cli.js')).asClientCli,
  },
  {
    name: 'dataset',
    summary: 'make the generated digits, or download MNIST',
    example: 'npx fedbatch dataset mnist',
    load: async () => (await import('./datasets/cli.js')).datasetCli,
  },
];
