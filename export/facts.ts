/** What an export says of its model, the same in every format. */
import { basename } from 'node:path';
import { packageVersion } from '../lib/cli/version.js';
import { parameterCount } from '../lib/core/weights.js';
import { writeLoss } from '../lib/federation/loss.js';
import { USUAL_SCALE } from '../lib/federation/pixel-scale.js';
import type { ExportedFacts } from '../lib/formats/export-result.js';
import type { DataNames } from '../lib/formats/keras/data-names.js';
import { dataNamesOf } from '../lib/formats/manifest-facts.js';
import { inputNames } from '../lib/model/model-description.js';
import { inputBound } from '../lib/model/parameters.js';
import type { ExportedModel, Origin } from './exported-model.js';

/** The facts of a model, those of its run where one is known. */
export function factsOf(exported: ExportedModel): ExportedFacts {
  const { path, sha256, model, task, origin } = exported;
  const manifest = origin?.records.manifest;
  const { classNames } = namesOf(exported) ?? {};
  return withoutUndefined({
    producer: `fedbatch ${packageVersion()}`,
    model: basename(path),
    sha256,
    parameters: parameterCount(model.weights),
    inputs: inputsOf(exported),
    outputs: (task?.outputs ?? []).map(({ output, shape, name, loss }) => ({
      ...{ name: output, shape, task: name, loss: writeLoss(loss) },
    })),
    classNames,
    pixelScale: exported.file.scale ?? (manifest?.image === undefined ? undefined : USUAL_SCALE),
    ...(origin === undefined ? {} : ofRun(origin)),
  });
}

/** The inputs as Keras calls them, with what their data call the numbers of each. */
function inputsOf(exported: ExportedModel): ExportedFacts['inputs'] {
  const { description } = exported.model;
  const names = inputNames(description);
  const { inputs: told = [] } = namesOf(exported) ?? {};
  return description.inputs.map(({ name, shape, isInteger = false }, at) => {
    const below = inputBound(description, name);
    const { columns, categories, units, missing } =
      (names.length === 1 ? told[0] : told.find((each) => each.name === name)) ?? {};
    return withoutUndefined({
      ...{ name: names[at] as string, shape, type: isInteger ? ('int32' as const) : ('float32' as const) },
      ...{ below, columns, categories, units, missing },
    });
  });
}

/** What the data call their numbers: the file says it, else the manifest of an older run. */
function namesOf({ file, origin }: ExportedModel): DataNames | undefined {
  const manifest = origin?.records.manifest;
  return file.names ?? (manifest && dataNamesOf(manifest));
}

function ofRun({ records, round, client, test }: Origin): Partial<ExportedFacts> {
  const { run, rounds } = records;
  const last = rounds.find((each) => each.round === round);
  const { examples, loss, accuracy, metrics } = test ?? {};
  return {
    ...{ run: run.id, runName: run.name, round, client, clients: run.settings.federation.clients },
    strategy: run.settings.strategy?.name ?? 'fedavg',
    ...(examples === undefined || loss === undefined
      ? {}
      : { test: withoutUndefined({ examples, loss, accuracy, metrics }) }),
    privacy: client === undefined ? last?.aggregate?.privacy : undefined,
  };
}

/** As files and lines hold them: what is not known is not there. */
const withoutUndefined = <T extends object>(facts: T): T =>
  Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as T;

/** The facts as strings by name, for formats that keep nothing else: texts as they are, the others as JSON. */
export const factsAsText = (facts: ExportedFacts): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value),
    ]),
  );
