/** `fedbatch k8s`: the job on a Kubernetes cluster. */
import { Command } from 'commander';
import { isMain, type ProgramContext, runProgram } from '../lib/cli/program.js';
import { renderCli } from './render-cli.js';
import { k8sRunCli } from './run/cli.js';
import { k8sEachCli } from './run/each-cli.js';
import { deleteCli, logsCli, statusCli } from './run/inspect-cli.js';
import { k8sSweepCli } from './run/sweep-cli.js';

const EXAMPLES = `
Examples:
  npx fedbatch k8s run --clients 10 --rounds 5 --storage-class nfs-csi
  npx fedbatch k8s each --clients 10 --data runs/first/data -- ./measure {shard}
  npx fedbatch k8s status
  npx fedbatch k8s render --clients 3 --epochs 2 --batch 100 --out deploy
  npx fedbatch k8s render trainer --clients 3 --epochs 2 --batch 100 | kubectl apply -f -

npx fedbatch k8s <command> --help explains its options.`;

/** The commands for clusters. */
export function k8sCli(context: ProgramContext): Command {
  return new Command('k8s')
    .description('The job on a Kubernetes cluster.')
    .addCommand(k8sRunCli(context))
    .addCommand(k8sSweepCli(context))
    .addCommand(k8sEachCli(context))
    .addCommand(statusCli(context))
    .addCommand(logsCli(context))
    .addCommand(deleteCli(context))
    .addCommand(renderCli(context))
    .addHelpText('after', EXAMPLES);
}

if (isMain(import.meta.url)) await runProgram(k8sCli, process.argv.slice(2));
