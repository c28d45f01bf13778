/** ONNX: the graph that predicts here, with the weights in it and the names that Keras has. */
import { packageVersion } from '../lib/cli/version.js';
import { encodeOnnxModel } from '../lib/engine/onnx/graphs/onnx-model.js';
import { type EndNames, predictGraph } from '../lib/engine/onnx/graphs/predict-graph.js';
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { foreignLayers } from '../lib/model/layers/foreign.js';
import { inputNames, type ModelDescription, outputNames } from '../lib/model/model-description.js';
import { factsAsText } from './facts.js';
import { cannotHold, type ExportFormat } from './format.js';

/** What a file of protobuf can hold, less the graph around the weights. */
const MOST_WEIGHTS_BYTES = 2 ** 31 - 2 ** 24;

const title = 'an ONNX file';

/** One file; inputs and outputs have a batch axis of any size. */
export const onnx: ExportFormat = {
  title,
  ending: '.onnx',
  async prepare(exported, { facts }) {
    const { model } = exported;
    const [foreign] = foreignLayers(model.description);
    if (foreign !== undefined) {
      const advice = 'Keras itself opens it: --to keras or --to savedmodel.';
      throw cannotHold(exported, { title, reason: foreign.reason, advice });
    }
    if (4 * facts.parameters > MOST_WEIGHTS_BYTES) {
      const reason = `its ${facts.parameters.toLocaleString('en')} parameters are more than the 2 GB of such a file`;
      throw cannotHold(exported, { title, reason, advice: '--to safetensors and --to keras hold it.' });
    }
    const bytes = encodeOnnxModel(predictGraph(model, endNames(model.description)), {
      producerVersion: packageVersion(),
      metadata: factsAsText(facts),
    });
    return (path) => writeFileAtomic(path, bytes);
  },
};

/** As Keras names them, apart from each other and from what the graph calls its own tensors. */
function endNames(description: ModelDescription): EndNames {
  const taken = new Set<string>();
  const apart = (name: string, role: string): string => {
    const isTaken = taken.has(name) || /^(const_.*|[A-Z]\w*_\d+)$/.test(name);
    if (isTaken) return apart(`${name}:${role}`, role);
    taken.add(name);
    return name;
  };
  return {
    inputs: inputNames(description).map((name) => apart(name, 'input')),
    outputs: outputNames(description).map((name) => apart(name, 'output')),
  };
}
