/** `.keras`: the archive of Keras 3, and of Keras 2 from 2.13 on. */
import { UsageError } from '../lib/core/errors.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import type { KerasFile } from '../lib/formats/keras/keras-file.js';
import { encodeKerasFile } from '../lib/formats/keras/keras-hdf5.js';
import { kerasConfig, writtenVersion } from '../lib/model/keras/keras-model.js';
import { foreignLayers } from '../lib/model/layers/foreign.js';
import type { ExportedModel } from './exported-model.js';
import { factsAsText } from './facts.js';
import { cannotHold, type ExportContext, type ExportFormat } from './format.js';

const title = 'a .keras file';

/** One file; the facts are in its metadata.json. */
export const keras: ExportFormat = {
  title,
  ending: '.keras',
  async prepare(exported, context) {
    const bytes = await encodeForKeras(exported, context);
    return (path) => writeFileAtomic(path, bytes);
  },
};

/** The bytes of the archive. @throws {UsageError} where nobody knows how Keras numbers the arrays of a layer */
export async function encodeForKeras(
  exported: ExportedModel,
  { facts }: Pick<ExportContext, 'facts'>,
): Promise<Uint8Array> {
  const { update: _update, extras: _extras, ...file } = exported.file;
  try {
    return await encodeKerasFile({ ...file, ...inNewDialect(exported), facts: factsAsText(facts) }, 'keras');
  } catch (cause) {
    const [foreign] = foreignLayers(exported.model.description);
    if (foreign === undefined || !(cause instanceof Error) || cause instanceof UsageError) throw cause;
    const advice = `Keras opens ${exported.path} as it is.`;
    throw cannotHold(exported, { title, reason: `${foreign.reason} (${cause.message})`, advice, cause });
  }
}

/** Keras that writes such files, whose JSON Keras 3 reads. */
const NEW = /^(2\.1[3-9]|[3-9]|\d\d)/;

/** What Keras 3 lists among the layers of a model with masks, and does not find again. */
const OPERATION = /"class_name":"NotEqual"/;

/** Written anew where Keras 3 does not read the JSON: that of an older Keras, with its optimizer, and its own with masks. */
function inNewDialect({ file, model: { description } }: ExportedModel): Partial<KerasFile> {
  const { kerasVersion, modelConfig } = file;
  const isOurs = foreignLayers(description).length === 0 && description.nested === undefined;
  const isNew = NEW.test(kerasVersion);
  if (!isOurs || (isNew && !OPERATION.test(JSON.stringify(modelConfig)))) return {};
  return {
    modelConfig: kerasConfig(description),
    kerasVersion: writtenVersion(description),
    ...(isNew ? {} : { trainingConfig: undefined }),
  };
}
