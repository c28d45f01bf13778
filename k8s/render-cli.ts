/** `fedbatch k8s render`: prints the manifests with every placeholder filled in. */
import { join } from 'node:path';
import { Command } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import type { ProgramContext } from '../lib/cli/program.js';
import { UsageError } from '../lib/federation/errors.js';
import { writeFileAtomic } from '../lib/formats/atomic-file.js';
import { toJson, toYaml } from './manifest-text.js';
import { type Rendered, render, templateNamed } from './render.js';
import { addTemplateOptions, type TemplateFlags, valuesOf } from './template-options.js';
import { TEMPLATE_NAMES } from './templates.js';

interface RenderFlags extends TemplateFlags {
  readonly clients?: number;
  readonly epochs?: number;
  readonly batch?: string;
  readonly nfsClusterIp?: string;
  readonly output?: string;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  fedbatch k8s render --clients 3 --epochs 2 --batch 100
  fedbatch k8s render trainer --clients 3 --epochs 2 --batch 100 --gpu 1 | kubectl apply -f -
  fedbatch k8s render pvc --storage-class efs --set STORAGE=50Gi | kubectl apply -f -
  fedbatch k8s render --clients 3 --epochs 2 --batch 100 --output deploy --tag 1.2.0 --image-prefix ghcr.io/me/

Templates: ${TEMPLATE_NAMES.join(', ')}.
Without any, those of a whole job: the claim (with --nfs-cluster-ip the NFS server), network policies, splitter,
trainer, aggregator, accuracy test, server. The stages of a job follow each other: apply one when the one before is done.`;

/** The command. */
export function renderCommand({ reporter }: ProgramContext): Command {
  const command = new Command('render')
    .summary('print the manifests, filled in')
    .description('Print the manifests of k8s/ with every placeholder filled in.')
    .argument('[templates...]', 'the templates; without any, those of a whole job')
    .option('--clients <count>', 'WORKER_NUMBER: clients', integerOption({ min: 1 }))
    .option('--epochs <E>', 'EPOCH: local epochs', integerOption({ min: 1 }))
    .option('--batch <B>', 'BATCH: examples per step, or all')
    .option('--nfs-cluster-ip <ip>', 'NFS_CLUSTER_IP: address of the service fedbatch-nfs');
  return addTemplateOptions(command)
    .option(
      '--output <dir>',
      'write one file for each template, and a kustomization.yaml, instead of printing',
    )
    .option('--json', 'as JSON instead of YAML')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], flags: RenderFlags) => {
      const { clients, epochs, batch, nfsClusterIp, namespace, queue, output, json = false } = flags;
      const values = valuesOf(flags, {
        WORKER_NUMBER: clients === undefined ? undefined : `${clients}`,
        EPOCH: epochs === undefined ? undefined : `${epochs}`,
        BATCH: batch,
        NFS_CLUSTER_IP: nfsClusterIp,
      });
      const rendered = render({ templates: names.map(templateNamed), values, namespace, queue });
      if (output === undefined) {
        const objects = rendered.flatMap((each) => each.objects);
        process.stdout.write(json ? toJson(objects) : toYaml(objects));
        return;
      }
      if (json) throw new UsageError('--json does not go with --output, which writes YAML for kustomize.');
      await writeAll(rendered, output);
      reporter.info(`Wrote ${rendered.length} manifests and kustomization.yaml to ${output}.`);
    });
}

/** The kustomization goes last, so that it names only files that are there. */
async function writeAll(rendered: readonly Rendered[], directory: string): Promise<void> {
  for (const { file, objects } of rendered) await writeFileAtomic(join(directory, file), toYaml(objects));
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: rendered.map(({ file }) => file),
  };
  await writeFileAtomic(join(directory, 'kustomization.yaml'), toYaml([kustomization]));
}
