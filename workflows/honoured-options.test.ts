/** Every option of `k8s render --target` changes what every target is given, or is refused by name: none is dropped. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLUSTER_SETTINGS } from '../k8s/cluster-settings.js';
import { PLACEHOLDER_NAMES } from '../k8s/manifests/placeholders.js';
import { STAGE_TEMPLATES } from '../k8s/manifests/stages.js';
import { foreignPlaceholders } from '../k8s/manifests/template-options.js';
import { type RenderFlags, renderCli, workflowOptions } from '../k8s/render-cli.js';
import type { ProgramContext } from '../lib/cli/program.js';
import { UsageError } from '../lib/core/errors.js';
import { silentReporter } from '../lib/observability/events.js';
import { askedByFlags } from '../lib/settings/options.js';
import { flagOf, type Setting } from '../lib/settings/setting.js';
import { SETTINGS, settingAt } from '../lib/settings/table.js';
import { checkedValue } from '../lib/settings/value-type.js';
import { filled } from '../test/settings.js';
import { TARGET_FACTS } from '../test/workflow-steps.js';
import { renderWorkflow, WORKFLOW_NAMES, type WorkflowName } from './render-workflow.js';
import type { WorkflowOptions } from './workflow-job.js';

const CONTEXT: ProgramContext = { reporter: silentReporter, signal: new AbortController().signal };

/** 12 of 24 clients, 3 rounds. */
const JOB = ['--clients', '24', '--fraction', '0.5', '--rounds', '3'];

/** What the options of a command line ask a target for. */
function asked(words: readonly string[]): WorkflowOptions {
  const command = renderCli(CONTEXT).exitOverride();
  const { operands, unknown } = command.parseOptions([...JOB, ...words]);
  assert.deepEqual([operands, unknown], [[], []]);
  return workflowOptions(command.opts<RenderFlags>(), askedByFlags(command, CLUSTER_SETTINGS));
}

/** An option with a value, and what it is compared with. */
interface Case {
  readonly words: readonly string[];
  readonly without: readonly string[];
}

/** Values that one setting or another takes, the unlikely ones first. */
const VALUES = [
  ...['/mnt/other', '-1..1', '64,32', 'balanced', 'rmse=3.2', 'huber:delta=0.5', '50%'],
  ...[0.25, 0.01, 2, 1, 4, 0, 3, 5],
];

/** Settings whose first fitting value would not do. */
const OWN_VALUES: Readonly<Record<string, string>> = {
  'federation.partition.scheme': 'dirichlet',
  'federation.minClients': '18',
  'strategy.privacy.delta': '0.001',
  'strategy.privacy.countNoise': '2',
  'training.loss': 'mse',
  'training.classWeights': 'balanced',
  'model.hidden': '64,32',
  'federation.targetMetric': 'rmse=3.2',
};

/** A value that is not the setting's default. */
function sampleOf({ place, type, default: usual, defaultsBy }: Setting): string {
  if (place in OWN_VALUES) return OWN_VALUES[place] as string;
  if (type.kind === 'choice') return type.choices.find((each) => each !== usual) as string;
  const usuals = [usual, ...Object.values(defaultsBy?.defaults ?? {})];
  const found = VALUES.find((each) => checkedValue(type, each) !== undefined && !usuals.includes(each));
  assert.ok(found !== undefined, `add a value of ${place} to VALUES`);
  return `${found}`;
}

const wordsOf = (setting: Setting): readonly string[] => {
  const flag = flagOf(setting) as string;
  return setting.type.kind === 'switch' ? [flag] : [flag, sampleOf(setting)];
};

/** The words without which a setting means nothing. */
function besides({ onlyWith, defaultsBy, place }: Setting): readonly string[] {
  const head =
    onlyWith === undefined ? [] : [...besides(settingAt(onlyWith)), ...wordsOf(settingAt(onlyWith))];
  const by = defaultsBy === undefined ? undefined : settingAt(defaultsBy.place);
  const owner = Object.keys(defaultsBy?.defaults ?? {}).find((each) => each !== by?.default);
  const chosen = by === undefined || owner === undefined ? [] : [flagOf(by) as string, owner];
  return [...head, ...chosen, ...(place === 'training.nesterov' ? ['--optimizer', 'sgd'] : [])];
}

/** Noise comes with a clip, and an epsilon stands for noise: the three are compared with other noise. */
const OTHER_NOISE = ['--dp-clip', '3', '--dp-noise', '3'];

function caseOfSetting(setting: Setting): Case {
  const { place, defaultsBy, otherwise } = setting;
  const beside = besides(setting);
  const words = [...beside, ...wordsOf(setting)];
  if (/^strategy\.privacy\.(noise|epsilon)$/.test(place)) return { words, without: OTHER_NOISE };
  const noise = place.startsWith('strategy.privacy.') ? ['--dp-noise', '0.5'] : [];
  if (place.endsWith('.clip')) return { words: [...words, ...noise], without: OTHER_NOISE };
  const isNeeded = otherwise === undefined && defaultsBy?.defaults[beside.at(-1) ?? ''] === undefined;
  const without = defaultsBy !== undefined && isNeeded ? [] : [...beside, ...noise];
  return { words: [...words, ...noise], without };
}

/** The options that no table declares, each with a value. */
const OTHERS: Readonly<Record<string, string | undefined>> = {
  '--no-isolate': undefined,
  '--image-prefix': 'registry.example.com/me/',
  '--tag': '9.9.9',
  '--gpu': '2',
  '--storage-class': 'efs',
  '--namespace': 'ml',
  '--queue': 'team',
  '--nfs-cluster-ip': '10.0.0.9',
};

/** What says where the rendering goes, or is walked option by option elsewhere; `--seeds` refuses itself. */
const ELSEWHERE = ['--target', '--set', '--config', '--out', '--json', '--seeds'];

const settings = SETTINGS.filter(
  (setting) =>
    flagOf(setting) !== undefined && renderCli(CONTEXT).options.some(({ long }) => long === flagOf(setting)),
);

interface Asked {
  readonly options: WorkflowOptions;
  readonly without: WorkflowOptions;
}

const CASES: ReadonlyMap<string, Asked> = new Map(
  [
    ...settings.map((setting) => [setting.place, caseOfSetting(setting)] as const),
    ...PLACEHOLDER_NAMES.map((name) => [name, { words: ['--set', filled(name)], without: [] }] as const),
    ...Object.entries(OTHERS).map(
      ([flag, value]) => [flag, { words: [flag, value ?? []].flat(), without: [] }] as const,
    ),
  ].map(([name, { words, without }]: readonly [string, Case]) => [
    name,
    { options: asked(words), without: asked(without) },
  ]),
);

/** What becomes of an option. */
function fateOf(target: WorkflowName, { options, without }: Asked): 'honoured' | 'refused' | 'dropped' {
  const text = (given: WorkflowOptions) => JSON.stringify(renderWorkflow(target, given));
  try {
    return text(options) === text(without) ? 'dropped' : 'honoured';
  } catch (error) {
    if (error instanceof UsageError && error.message.includes(` does not go with --target ${target}`))
      return 'refused';
    throw error;
  }
}

/** Refused by every target, beside the placeholders of other templates than the stages'. */
const BY_ALL = [
  ...['federation.targetAccuracy', 'federation.targetMetric', 'federation.patience'],
  ...['tolerance.retries', 'tolerance.roundDeadline', 'CLIENTS', 'MAX_FAILED_INDEXES'],
  ...['--storage-class', '--nfs-cluster-ip'],
  ...Object.keys(foreignPlaceholders(STAGE_TEMPLATES)),
];

function refusedBy(target: WorkflowName): readonly string[] {
  const { refuses = [], honours = [] } = TARGET_FACTS[target];
  return [...BY_ALL.filter((name) => !honours.includes(name)), ...refuses].sort();
}

describe('every option of a target', () => {
  it('is walked', () => {
    const walked = [...settings.map((each) => flagOf(each)), ...Object.keys(OTHERS), ...ELSEWHERE];
    assert.deepEqual(
      renderCli(CONTEXT)
        .options.map(({ long }) => long)
        .filter((long) => !walked.includes(long ?? '')),
      [],
      'say here with which value the option is tried',
    );
    const inParts = CLUSTER_SETTINGS.parts
      .flatMap((part) => part.settings)
      .filter((each) => flagOf(each) !== undefined);
    assert.ok(settings.length > 60 && settings.length <= inParts.length, `${settings.length} settings`);
  });

  for (const target of WORKFLOW_NAMES) {
    it(`changes what ${target} is given, or is refused`, () => {
      const fates = [...CASES].map(([name, each]) => [name, fateOf(target, each)] as const);
      const named = (fate: string) => fates.flatMap(([name, found]) => (found === fate ? [name] : [])).sort();
      assert.deepEqual(named('dropped'), []);
      assert.deepEqual(named('refused'), refusedBy(target));
    });
  }
});
