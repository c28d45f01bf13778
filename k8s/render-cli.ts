/** `fedbatch k8s render`: prints the manifests with every placeholder filled in. */
import { join } from 'node:path';
import { Command } from 'commander';
import { integerOption } from '../lib/cli/options.js';
import type { ProgramContext } from '../lib/cli/program.js';
import { UsageError } from '../lib/core/errors.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import {
  addEngineOptions,
  type EngineFile,
  type EngineRenderFlags,
  refuseWithoutEngine,
  renderEngine,
} from '../workflows/render-workflow.js';
import { toJson, toYaml } from './manifests/manifest-text.js';
import { render, templateNamed } from './manifests/render.js';
import { addTemplateOptions, type TemplateFlags, valuesOf } from './manifests/template-options.js';
import { TEMPLATE_NAMES } from './manifests/templates.js';

interface RenderFlags extends TemplateFlags, EngineRenderFlags {
  readonly clients?: number;
  readonly epochs?: number;
  readonly batch?: string;
  readonly nfsClusterIp?: string;
  readonly out?: string;
  readonly json?: true;
}

const EXAMPLES = `
Examples:
  npx fedbatch k8s render --clients 3 --epochs 2 --batch 100
  npx fedbatch k8s render trainer --clients 3 --epochs 2 --batch 100 --gpu 1 | kubectl apply -f -
  npx fedbatch k8s render pvc --storage-class efs --set STORAGE=50Gi | kubectl apply -f -
  npx fedbatch k8s render --clients 3 --epochs 2 --batch 100 --out deploy --tag 1.2.0 --image-prefix ghcr.io/me/

  npx fedbatch k8s render --engine argo --clients 10 --rounds 5 --epochs 2 --batch 100 | argo submit -

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
  return addEngineOptions(addTemplateOptions(command))
    .option('--out <dir>', 'write one file for each template, and a kustomization.yaml, instead of printing')
    .option('--json', 'as JSON instead of YAML')
    .addHelpText('after', EXAMPLES)
    .action(async (names: string[], flags: RenderFlags) => {
      const { clients, epochs, batch, nfsClusterIp, namespace, queue, out: output, json = false } = flags;
      const values = valuesOf(flags, {
        WORKER_NUMBER: clients === undefined ? undefined : `${clients}`,
        EPOCH: epochs === undefined ? undefined : `${epochs}`,
        BATCH: batch,
        NFS_CLUSTER_IP: nfsClusterIp,
      });
      if (flags.engine !== undefined) {
        if (names.length > 0)
          throw new UsageError('--engine makes the whole job: it takes no names of templates.');
        const files = renderEngine(flags.engine, flags, { values, namespace, queue });
        return await deliver(files, { reporter, output, json });
      }
      refuseWithoutEngine(flags);
      const rendered = render({ templates: names.map(templateNamed), values, namespace, queue });
      await deliver(rendered, { reporter, output, json, kustomization: true });
    });
}

interface Delivery {
  readonly reporter: ProgramContext['reporter'];
  readonly output: string | undefined;
  readonly json: boolean;
  readonly kustomization?: boolean;
}

/** Prints the objects, or writes them to a directory. */
async function deliver(
  files: readonly EngineFile[],
  { reporter, output, json, kustomization = false }: Delivery,
): Promise<void> {
  if (output === undefined) {
    const objects = files.flatMap((each) => each.objects);
    process.stdout.write(json ? toJson(objects) : toYaml(objects));
    return;
  }
  if (json) throw new UsageError('--json does not go with --out, which writes YAML.');
  await writeAll(files, output);
  if (kustomization) await writeKustomization(files, output);
  const what = `${files.length} manifest${files.length === 1 ? '' : 's'}`;
  reporter.info(`Wrote ${what}${kustomization ? ' and kustomization.yaml' : ''} to ${output}.`);
}

async function writeAll(files: readonly EngineFile[], directory: string): Promise<void> {
  for (const { file, objects } of files) await writeFileAtomic(join(directory, file), toYaml(objects));
}

/** It goes last, so that it names only files that are there. */
async function writeKustomization(files: readonly EngineFile[], directory: string): Promise<void> {
  const kustomization = {
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: files.map(({ file }) => file),
  };
  await writeFileAtomic(join(directory, 'kustomization.yaml'), toYaml([kustomization]));
}
