import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { execa } from 'execa';
import { parseAllDocuments } from 'yaml';
import { volumePaths } from '../../lib/formats/volume.js';
import { initCommand } from '../../pipeline/commands/stage-commands.js';
import { runCommand } from '../../test/program-host.js';
import { settingsFromFlags } from '../../test/settings.js';
import { temporaryDirectory } from '../../test/temporary-directory.js';
import { isPlaceholder, PLACEHOLDER_NAMES, PLACEHOLDERS, type Values } from './placeholders.js';
import { render, templateNamed } from './render.js';
import { readStage, stageOf } from './stages.js';
import {
  fillTemplate,
  fillText,
  placeholdersIn,
  readTemplate,
  TEMPLATE_DIRECTORY,
  TEMPLATE_NAMES,
  TEMPLATES,
  toYaml,
} from './templates.js';

const REQUIRED: Values = { WORKER_NUMBER: '3', EPOCH: '2', BATCH: '100', NFS_CLUSTER_IP: '10.0.0.7' };
const KUSTOMIZATION = 'kustomization.yaml';

/** What a command of the README prints: the template through the `sed` that it shows. */
async function sed(script: string, file: string): Promise<unknown[]> {
  const { stdout } = await execa('sed', [script, `${TEMPLATE_DIRECTORY}${file}`]);
  return parse(stdout);
}

/** As Kubernetes reads YAML. */
const parse = (text: string): unknown[] =>
  parseAllDocuments(text, { version: '1.1' }).map((document) => {
    assert.deepEqual(document.errors, []);
    return document.toJS() as unknown;
  });

describe('the templates', () => {
  it('are all known, and a kustomization lists those that need no value', () => {
    const files = readdirSync(TEMPLATE_DIRECTORY).filter((name) => name.endsWith('.yaml'));
    assert.deepEqual(files.sort(), [...Object.values(TEMPLATES), KUSTOMIZATION].sort());
    const [kustomization] = parse(readFileSync(`${TEMPLATE_DIRECTORY}${KUSTOMIZATION}`, 'utf8'));
    const { resources } = kustomization as { readonly resources: readonly string[] };
    for (const file of resources) {
      const name = templateNamed(file);
      assert.deepEqual(parse(readTemplate(name)), fillTemplate(name, {}), file);
    }
  });

  it('hold the placeholders of the table with its defaults, and the table no others', () => {
    const seen = new Set<string>();
    for (const name of TEMPLATE_NAMES) {
      const text = readTemplate(name);
      // What begins with a dot, KServe fills in.
      assert.equal(
        text.match(/\{\{(?!\.)/g)?.length ?? 0,
        [...text.matchAll(/\{\{[A-Z_]+\}\}/g)].length,
        name,
      );
      for (const [placeholder, value] of placeholdersIn(text)) {
        seen.add(placeholder);
        assert.ok(isPlaceholder(placeholder), `${name}: ${placeholder}`);
        assert.equal(value, PLACEHOLDERS[placeholder].default, `${name}: ${placeholder}`);
      }
    }
    assert.deepEqual([...seen].sort(), [...PLACEHOLDER_NAMES].sort());
  });

  it('name the images of this release', () => {
    const { version } = JSON.parse(readFileSync(`${TEMPLATE_DIRECTORY}../package.json`, 'utf8')) as {
      version: string;
    };
    for (const name of PLACEHOLDER_NAMES) {
      const value = PLACEHOLDERS[name].default;
      if (value?.startsWith('fedbatch/')) assert.ok(value.endsWith(`:${version}`), `${name} is ${value}`);
    }
  });
});

describe('by hand and rendered', () => {
  it('the commands of the README give what render gives', async () => {
    const only = (name: (typeof TEMPLATE_NAMES)[number]) => fillTemplate(name, REQUIRED);
    assert.deepEqual(await sed('s/{{NFS_CLUSTER_IP}}/10.0.0.7/g', '3-nfs-pv-pvc.yaml'), only('nfs-pv-pvc'));
    assert.deepEqual(await sed('s/{{WORKER_NUMBER}}/3/g', '4-splitter.yaml'), only('splitter'));
    assert.deepEqual(
      await sed('s/{{WORKER_NUMBER}}/3/g; s/{{EPOCH}}/2/g; s/{{BATCH}}/100/g', '5-trainer.yaml'),
      only('trainer'),
    );
    for (const name of [
      'nfs-deployment',
      'nfs-service',
      'aggregator',
      'server',
      'accuracy-test',
      'busybox',
      'watch',
    ] as const) {
      assert.deepEqual(parse(readTemplate(name)), only(name), name);
    }
  });

  it('the sed of the guide fills an optional placeholder, before it or after a flag', async () => {
    const script = (name: string, value: string) => `s|[^ =]+ # \\{\\{${name}\\}\\}|${value}|`;
    const { stdout } = await execa('sed', [
      '-E',
      [
        script('GPU', '2'),
        script('MODEL', 'mlp'),
        script('TRAINER_IMAGE', 'example.com/t:1'),
        's/\\{\\{[A-Z_]+\\}\\}/3/g',
      ].join(';'),
      `${TEMPLATE_DIRECTORY}5-trainer.yaml`,
    ]);
    const values = {
      WORKER_NUMBER: '3',
      EPOCH: '3',
      BATCH: '3',
      GPU: '2',
      MODEL: 'mlp',
      TRAINER_IMAGE: 'example.com/t:1',
    };
    assert.deepEqual(parse(stdout), fillTemplate('trainer', values));
  });

  it('what is printed is read back as the same objects, by a reader of YAML 1.1 too', () => {
    for (const { objects } of render({ templates: TEMPLATE_NAMES, values: { ...REQUIRED, CLIENTS: '1' } })) {
      assert.deepEqual(parse(toYaml(objects)), objects);
    }
    const awkward = { env: ['on', '1:20', '0x1f', '017', '3', '1_0', 'null', '~', '', '2001-01-01'] };
    assert.deepEqual(parse(toYaml([awkward])), [awkward]);
  });
});

describe('a value', () => {
  it('that is missing, unknown or of the wrong kind is refused by name', () => {
    assert.throws(() => fillTemplate('trainer', { WORKER_NUMBER: '3', EPOCH: '2' }), {
      name: 'UsageError',
      message: 'k8s/5-trainer.yaml: expected a value for {{BATCH}}, found none: add --batch <value>.',
    });
    for (const [name, value] of [
      ['WORKER_NUMBER', '0'],
      ['WORKER_NUMBER', '3\n  evil: true'],
      ['NFS_CLUSTER_IP', 'nfs.example.com'],
      ['TRAINER_MEMORY', '1 GB'],
      ['MODEL', 'gpt'],
      ['TRAINER_IMAGE', '--rm'],
      ['MIN_ACCURACY', '1.5'],
    ] as const) {
      assert.throws(
        () => fillTemplate('trainer', { ...REQUIRED, [name]: value }),
        new RegExp(`^UsageError: ${name}: expected `),
      );
    }
    assert.throws(
      () => fillText('a: {{NOBODY}}\n', {}, 'x.yaml'),
      /x\.yaml: there is no placeholder \{\{NOBODY\}\}/,
    );
  });

  it('keeps the type of what it replaces', () => {
    const [job] = fillTemplate('trainer', {
      ...REQUIRED,
      GPU: '1',
      TRAINER_CPU: '500m',
      CLIENTS: '7',
      SEED: '4',
    });
    const text = JSON.stringify(job);
    assert.match(text, /"nvidia.com\/gpu":1\b/);
    assert.match(text, /"limits":\{"cpu":"500m"/);
    assert.match(text, /"name":"FEDBATCH_CLIENTS","value":"7"/);
    assert.match(text, /"--seed=4"/);
  });
});

describe('a stage', () => {
  const values = { ...REQUIRED, MODEL: 'mlp', SEED: '7' };

  it('tells what its container runs', () => {
    const { image, args, env, command } = readStage('train', values);
    assert.match(image, /^fedbatch\/trainer:/);
    assert.equal(command, undefined);
    assert.ok(args.includes('--epochs=2') && args.includes('--model=mlp') && args.includes('--seed=7'));
    assert.equal(env.FEDBATCH_RESULT_FILE, '/dev/termination-log');
  });

  it('of the initial model is a plain Job of the trainer', () => {
    const { settings } = settingsFromFlags(['--model', 'mlp', '--seed', '7']);
    const { job, args, command } = stageOf(initCommand({ settings, paths: volumePaths('/mnt') }), {});
    assert.deepEqual(command, ['node', '/app/dist/trainer/init-cli.js']);
    assert.ok(args.includes('--model=mlp') && args.includes('--seed=7'));
    assert.equal(job.metadata?.name, 'fedbatch-init');
    assert.equal(job.spec?.completionMode, undefined);
    assert.deepEqual(
      job.spec?.podFailurePolicy?.rules?.map(({ action }) => action),
      ['Ignore', 'FailJob'],
    );
  });
});

describe('fedbatch k8s render', () => {
  const job = ['--clients', '3', '--epochs', '2', '--batch', '100'];
  const renderCli = (...args: readonly string[]) => runCommand('k8s', ['render', ...args]);

  it('prints a whole job, with the flags filled in', async () => {
    const { exitCode, stdout, stderr } = await renderCli(
      ...job,
      ...[
        '--gpu',
        '1',
        '--image-prefix',
        'ghcr.io/me/',
        '--tag',
        '2.0',
        '--namespace',
        'fl',
        '--queue',
        'q',
        '--json',
      ],
      ...['--set', 'MAX_FAILED_INDEXES=1'],
    );
    assert.equal(exitCode, 0, stderr);
    const { items } = JSON.parse(stdout) as {
      items: {
        kind: string;
        metadata: { name: string; namespace: string; labels: Record<string, string> };
      }[];
    };
    assert.deepEqual(
      items.filter(({ kind }) => kind === 'Job').map(({ metadata }) => metadata.name),
      ['fedbatch-splitter', 'fedbatch-trainer', 'fedbatch-aggregator', 'fedbatch-accuracy-test'],
    );
    assert.ok(items.every(({ metadata }) => metadata.namespace === 'fl'));
    assert.equal(items.find(({ kind }) => kind === 'Job')?.metadata.labels['kueue.x-k8s.io/queue-name'], 'q');
    assert.match(stdout, /"image": "ghcr.io\/me\/trainer-gpu:2.0"/);
    assert.match(stdout, /"maxFailedIndexes": 1/);
  });

  it('writes files that a kustomization lists', async (t) => {
    const directory = await temporaryDirectory(t);
    const { exitCode, stderr } = await renderCli(...job, '--out', directory);
    assert.equal(exitCode, 0, stderr);
    const [kustomization] = parse(readFileSync(`${directory}/${KUSTOMIZATION}`, 'utf8'));
    const { resources } = kustomization as { readonly resources: readonly string[] };
    assert.deepEqual(readdirSync(directory).sort(), [...resources, KUSTOMIZATION].sort());
    for (const file of resources) {
      assert.deepEqual(
        parse(readFileSync(`${directory}/${file}`, 'utf8')),
        fillTemplate(templateNamed(file), REQUIRED),
      );
    }
  });

  it('ends with exit code 2 and one sentence where a value is missing or wrong', async () => {
    for (const [args, sentence] of [
      [
        ['trainer', '--clients', '3', '--epochs', '2'],
        /k8s\/5-trainer\.yaml: expected a value for \{\{BATCH\}\}, found none: add --batch <value>\./,
      ],
      [
        ['--epochs', '2'],
        /^error: k8s\/4-splitter\.yaml, k8s\/5-trainer\.yaml: expected values for \{\{WORKER_NUMBER\}\}, \{\{BATCH\}\}, found none: add --clients <value> --batch <value>\.$/m,
      ],
      [['nobody'], /There is no template nobody; there are rbac, /],
      [['--set', 'NOBODY=1'], /--set: there is no placeholder NOBODY; there are WORKER_NUMBER, /],
      [['--set', 'what'], /--set: expected NAME=value, found "what"/],
      [
        [...job, '--set', 'INGRESS_CLASS=traefik'],
        /--set INGRESS_CLASS does not go with the manifests of a job: it belongs to k8s\/7-ingress\.yaml/,
      ],
      [
        [...job, '--nfs-cluster-ip', '10.0.0.7', '--storage-class', 'efs'],
        /--storage-class does not go with the/,
      ],
      [['--set', 'STORAGE=much'], /STORAGE: expected a quantity such as 500m, 2 or 1Gi, found "much"/],
    ] as const) {
      const { exitCode, stderr } = await renderCli(...args);
      assert.equal(exitCode, 2, stderr);
      assert.match(stderr, sentence);
      assert.equal(stderr.trim().split('\n').length, 1, stderr);
    }
  });
});
