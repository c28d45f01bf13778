/** What the targets' own objects look like, as their projects' Go modules say it: definitions for a real API server. */
import { join } from 'node:path';
import { execa } from 'execa';
import { admin, kubectl, until } from './cluster.js';

interface Definitions {
  readonly module: string;
  readonly version: string;
  readonly files: readonly string[];
}

/** By what they are for. */
export const DEFINITIONS = {
  jobset: {
    module: 'sigs.k8s.io/jobset',
    version: 'v0.10.1',
    files: ['config/components/crd/bases/jobset.x-k8s.io_jobsets.yaml'],
  },
  trainer: {
    module: 'github.com/kubeflow/trainer/v2',
    version: 'v2.1.0',
    files: [
      'manifests/base/crds/trainer.kubeflow.org_trainingruntimes.yaml',
      'manifests/base/crds/trainer.kubeflow.org_trainjobs.yaml',
    ],
  },
  argo: {
    module: 'github.com/argoproj/argo-workflows/v3',
    version: 'v3.7.4',
    files: ['manifests/base/crds/full/argoproj.io_workflows.yaml'],
  },
  spark: {
    module: 'github.com/kubeflow/spark-operator/v2',
    version: 'v2.3.0',
    files: ['config/crd/bases/sparkoperator.k8s.io_sparkapplications.yaml'],
  },
  monitoring: {
    module: 'github.com/prometheus-operator/prometheus-operator',
    version: 'v0.85.0',
    files: [
      'example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml',
      'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
    ],
  },
  kserve: {
    module: 'github.com/kserve/kserve',
    version: 'v0.16.0',
    files: [
      'config/crd/full/serving.kserve.io_servingruntimes.yaml',
      'config/crd/full/serving.kserve.io_inferenceservices.yaml',
    ],
  },
} as const satisfies Readonly<Record<string, Definitions>>;

/** Makes them known to the cluster of this machine. Returns why not, where the modules cannot be had. */
export async function define(name: keyof typeof DEFINITIONS): Promise<string | undefined> {
  const { module, version, files } = DEFINITIONS[name];
  const fetched = await execa('go', ['mod', 'download', '-json', `${module}@${version}`], { reject: false });
  if (fetched.exitCode !== 0)
    return `${module} ${version} is not served here: ${fetched.stderr}${fetched.stdout}`;
  const { Dir: directory } = JSON.parse(fetched.stdout) as { Dir: string };
  for (const file of files) {
    const flags = [
      '--server-side',
      '--force-conflicts',
      '--filename',
      join(directory, file),
      '--output=name',
    ];
    const { stdout } = await kubectl(admin, ['apply', ...flags]);
    const kind = stdout.split('/').at(-1) ?? '';
    await until(async () => (await kubectl(admin, ['get', kind], { reject: false })).exitCode === 0);
  }
  return undefined;
}
