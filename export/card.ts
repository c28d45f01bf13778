/** The model card: what a model is, how it came about and how well it does, as Markdown made from the records. */
import { sum } from 'd3-array';
import { leadingFigure } from '../lib/federation/metrics.js';
import { confusionText, worstConfusions } from '../lib/formats/confusions.js';
import type { ExportedFacts } from '../lib/formats/export-result.js';
import { clientsOf } from '../lib/formats/manifest.js';
import { labelCountsOf } from '../lib/formats/manifest-clients.js';
import { bulletList, code, nameTable, plain, table } from '../lib/html/html.js';
import { modelTitle } from '../lib/settings/parts/data.js';
import {
  epsilonText,
  grouped,
  groupedCount,
  lossText,
  metricText,
  partitionText,
  percent,
  spread,
} from '../report/format.js';
import { MOST_CLASSES, MOST_CONFUSIONS, testedClasses } from '../report/sections/test-result.js';
import { enginesThatRan, settingRows } from '../report/setting-rows.js';
import type { ExportedModel, Origin } from './exported-model.js';
import { loadingCode, type WrittenModel } from './loading-code.js';

/** The card as Markdown. */
export function modelCard(exported: ExportedModel, facts: ExportedFacts, written: WrittenModel): string {
  const { origin } = exported;
  const sections = [
    `# ${plain(facts.runName ?? facts.run ?? facts.model)}`,
    summary(facts, origin),
    '## The model',
    nameTable(modelRows(facts, origin)),
    ...testSection(facts, origin),
    ...(origin === undefined ? [] : [...dataSection(origin), ...trainingSection(origin)]),
    '## Privacy',
    privacyText(facts, origin),
    '## How to load it',
    ...loadingCode(facts, written),
    '## Limits',
    bulletList(limits(facts, origin)),
  ];
  return `${sections.join('\n\n')}\n`;
}

/** What a task is, in words. */
const TASKS: Readonly<Record<string, (outputs: number) => string>> = {
  classification: (outputs) => `tells ${outputs} classes apart`,
  binary: () => 'answers yes or no',
  'multi-label': (outputs) => `says which of ${outputs} labels hold`,
  regression: (outputs) => (outputs === 1 ? 'predicts a number' : `predicts ${outputs} numbers`),
};

function taskText({ outputs }: ExportedFacts): string {
  const each = outputs.map(({ name, shape, task }) => {
    const what = TASKS[task]?.(shape.at(-1) ?? 1) ?? task;
    const steps = shape.slice(0, -1);
    const where = steps.length === 0 ? '' : ` at each of ${steps.join(' × ')} steps`;
    return outputs.length === 1 ? `${what}${where}` : `${code(name)} ${what}${where}`;
  });
  return each.join('; ');
}

function summary(facts: ExportedFacts, origin: Origin | undefined): string {
  const task = taskText(facts);
  const what = `A model of ${groupedCount(facts.parameters, 'parameter')}${task === '' ? '' : ` that ${task}`}`;
  return `${what}${origin === undefined ? '. No record of a run names its file' : madeBy(facts, origin)}.`;
}

function madeBy({ round, client, clients = 0 }: ExportedFacts, { records }: Origin): string {
  if (round === 0) return ', as its training began: no client has trained it';
  const by = `federated averaging over ${groupedCount(clients, 'client')}`;
  if (client !== undefined) return `, trained by client ${client} in round ${round} of ${by}`;
  const most = records.run.settings.federation.rounds;
  return `, trained by ${by} in ${grouped(round ?? 0)} of at most ${groupedCount(most, 'round')}`;
}

type Row = readonly [name: string, value: string];

function modelRows(facts: ExportedFacts, origin: Origin | undefined): readonly Row[] {
  const { inputs, outputs, classNames, pixelScale, producer, sha256, model } = facts;
  const extent = (shape: readonly number[]) => ['n', ...shape].join(' × ');
  return [
    ...(origin === undefined
      ? []
      : [['architecture', plain(modelTitle(origin.records.run.settings.model))] as const]),
    ...inputs.map(({ name, shape, type, below }): Row => {
      const bound = below === undefined ? '' : `, whole numbers from 0, below ${grouped(below)}`;
      return ['input', `${code(name)}, ${extent(shape)}, ${type}${bound}`];
    }),
    ...(pixelScale === undefined ? [] : [['pixels', `black to white as ${plain(pixelScale)}`] as const]),
    ...outputs.map(
      ({ name, shape, task, loss }): Row => [
        'output',
        `${code(name)}, ${extent(shape)}, ${plain(task)} by the loss ${code(loss)}`,
      ],
    ),
    ...(classNames === undefined ? [] : [['classes', plain(classNames.join(', '))] as const]),
    ['file', `${code(model)}, sha256 ${code(sha256)}`],
    ['written by', plain(producer)],
  ];
}

function testSection({ classNames }: ExportedFacts, origin: Origin | undefined): readonly string[] {
  const test = origin?.test;
  if (test === undefined) return ['## How well it does', 'This model was not tested.'];
  const { examples, loss, accuracy, metrics = {}, confusions = [] } = test;
  const nameOf = (label: number) => plain(classNames?.[label] ?? `${label}`);
  const figures: readonly Row[] = [
    ...(accuracy === undefined ? [] : [['accuracy', metricText('accuracy', accuracy)] as const]),
    ...Object.entries(metrics)
      .filter(([name]) => name !== 'accuracy' || accuracy === undefined)
      .map(([name, value]) => [plain(name), metricText(name, value)] as const),
    ['loss', lossText(loss)],
  ];
  const { title = 'By class', classes } = testedClasses(test);
  const worst = worstConfusions(confusions, MOST_CONFUSIONS);
  return [
    '## How well it does',
    `On ${groupedCount(examples, 'example')} that were held out from training:`,
    table(['metric', 'value'], figures),
    ...(classes.length === 0
      ? []
      : [
          `${title}:`,
          table(
            ['class', 'accuracy', 'test examples'],
            classes.map((each) => [nameOf(each.class), percent(each.accuracy, 1), grouped(each.examples)]),
          ),
        ]),
    ...(worst.length === 0 ? [] : [`Taken most often: ${confusionText(worst, nameOf)}.`]),
    ...clientsSection(test),
  ];
}

/** How it is for each client, where clients hold examples out. */
function clientsSection(test: NonNullable<Origin['test']>): readonly string[] {
  const { metric } = leadingFigure(test);
  const figures = Object.entries(test.acrossClients ?? {}).filter(
    ([name]) => name === metric || name === 'loss',
  );
  if (figures.length === 0) return [];
  return [
    '## How it is for each client',
    'On the examples that each client held out from its own:',
    table(
      ['metric', 'clients', 'mean', 'standard deviation', 'mean of the worst tenth'],
      figures.map(([name, { clients, mean, deviation, worstDecile }]) => [
        ...[plain(name), grouped(clients)],
        ...[mean, deviation, worstDecile].map((value) => metricText(name, value)),
      ]),
    ),
  ];
}

/** Classes that are recognised less often are told among the limits. */
const WEAK = 0.5;

function dataSection({ records: { manifest } }: Origin): readonly string[] {
  if (manifest === undefined) return [];
  const clients = clientsOf(manifest);
  const sizes = clients.map(({ examples }) => examples);
  const labels = clients.map((each) => labelCountsOf(each).length);
  const columns = (manifest.inputs ?? []).flatMap((each) => each.columns ?? []);
  return [
    '## The data',
    nameTable([
      ['dataset', `${code(manifest.dataset.file)}, sha256 ${code(manifest.dataset.sha256)}`],
      [
        'examples',
        `${grouped(sum(sizes))} for training, ${grouped(manifest.test.examples)} held out for testing`,
      ],
      ...(columns.length === 0 ? [] : [['columns', plain(columns.join(', '))] as const]),
      ['clients', grouped(clients.length)],
      ['dealt by', plain(partitionText(manifest.partition))],
      ['examples of a client', spread(sizes)],
      ...(manifest.classes === undefined ? [] : [['labels of a client', spread(labels)] as const]),
    ]),
  ];
}

function trainingSection({ records: { run, rounds }, round }: Origin): readonly string[] {
  const done = rounds.filter((each) => each.round <= round);
  const count = (of: (record: (typeof rounds)[number]) => number) => grouped(sum(done, of));
  return [
    '## The training',
    `${count(({ selected }) => selected.length)} turns of clients in ${groupedCount(done.length, 'round')}: ` +
      `${count(({ reported }) => reported.length)} reported, ${count(({ rejected }) => rejected.length)} rejected, ` +
      `${count(({ missing }) => missing.length)} missing.`,
    nameTable(settingRows(run, enginesThatRan(done)).map(([name, value]) => [plain(name), plain(value)])),
  ];
}

function privacyText({ privacy, client }: ExportedFacts, origin: Origin | undefined): string {
  if (origin === undefined) return 'Nothing is known of how it was trained.';
  if (client !== undefined)
    return "A client's own model: no noise stands between it and the examples of that client.";
  if (privacy === undefined)
    return (
      'The training was not differentially private: no noise hides what a single client adds, and the model may tell ' +
      'something of the examples that it was trained on.'
    );
  const { noise, noiseSource } = origin.records.run.settings.strategy?.privacy ?? {};
  const epsilon = epsilonText(privacy);
  const how = noise === undefined ? '' : ` Noise: ${noise} times the norm that updates are clipped to.`;
  const norm = privacy.clip === undefined ? '' : ` That norm was ${privacy.clip.toPrecision(3)} at last.`;
  const seeded =
    noiseSource === 'seed' ? ' The noise came from a seed: whoever knows it can take it away.' : '';
  return (
    `Differentially private for each client, added at the server: ε = ${epsilon} at δ = ${privacy.delta.toExponential()} ` +
    `for all rounds up to this one.${how}${norm}${seeded} The server saw the updates as they were.`
  );
}

function limits(facts: ExportedFacts, origin: Origin | undefined): readonly string[] {
  const test = origin?.test;
  const counts = (test?.perClass ?? []).map(({ examples }) => examples);
  const weak = (test?.perClass ?? [])
    .filter(({ accuracy }) => accuracy !== null && accuracy < WEAK)
    .slice(0, MOST_CLASSES);
  const hasCategories = facts.inputs.some(({ categories }) => categories !== undefined);
  return [
    test === undefined
      ? 'How well it does is not known: no test of this very file is on record.'
      : 'The figures are those of examples held out from the same data. How it does on other data is not known.',
    ...(counts.length > 1 && Math.min(...counts) < 100
      ? [`The class with the fewest test examples has ${Math.min(...counts)}: its figure is a rough one.`]
      : []),
    ...weak.map(
      (each) =>
        `Of class ${plain(facts.classNames?.[each.class] ?? `${each.class}`)} it recognises ${percent(each.accuracy ?? 0, 1)}.`,
    ),
    ...(facts.clients === undefined || test?.acrossClients !== undefined
      ? []
      : ['No client was tested by itself: for a single one it may do better or worse.']),
    ...(hasCategories ? ['A category that the training data did not have is given as 0.'] : []),
    'It computes in 32-bit floats: programs differ from each other in the sixth digit or so.',
    'What it is meant for and what not, whose the data are and under which licence, and whom to ask is not on record: ' +
      'whoever publishes the model writes it here.',
  ];
}
