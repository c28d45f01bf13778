/** Small functions that write a Keras config: layers by Keras' names, called on each other or in a row. */
import { numbered } from '../model/model-description.js';

/** A model as Keras' `to_json` gives it, parsed; `sequentialModel` and `functionalModel` make one. */
export interface KerasConfig {
  readonly class_name: string;
  readonly config: unknown;
  /** Whose dialect it is; Keras 2's where nothing says so. */
  readonly keras_version?: string;
}

/** Settings of a layer by Keras' names; of a wrapper the layer within. */
export type TaskLayerSettings = Readonly<Record<string, unknown>>;

/** A value of a model: an input, or what a call of a layer gives. */
export interface ModelValue {
  readonly layer: TaskLayer;
  /** What the layer was called on; nothing of an input. */
  readonly inputs: readonly ModelValue[];
}

/** A layer: calling it on values gives another value. Called twice, it has its weights once. */
export interface TaskLayer {
  (...inputs: readonly ModelValue[]): ModelValue;
  readonly className: string;
  readonly config: TaskLayerSettings;
}

/** A layer, e.g. `layer('Dense', { units: 10, activation: 'softmax' })`: docs/MODELS.md lists classes and settings. */
export function layer(className: string, config: TaskLayerSettings = {}): TaskLayer {
  const made: TaskLayer = Object.assign((...inputs: readonly ModelValue[]) => ({ layer: made, inputs }), {
    className,
    config,
  });
  return made;
}

/** An input of examples of this shape: `[features]`, `[h, w, c]`; `int32` is for an Embedding. */
export function input(
  shape: readonly number[],
  { dtype = 'float32', ...given }: { readonly name?: string; readonly dtype?: 'float32' | 'int32' } = {},
): ModelValue {
  return layer('InputLayer', { ...given, batch_input_shape: [null, ...shape], dtype })();
}

/** Layers in a row. */
export function sequentialModel(from: ModelValue, layers: readonly TaskLayer[]): KerasConfig {
  const all = [from.layer, ...layers];
  const names = namesOf(all);
  const written = all.map((each) => writeLayer(each, names.get(each)));
  return { class_name: 'Sequential', config: { name: 'sequential', layers: written } };
}

/** A graph of layers: `functionalModel({ inputs: [a, b], outputs: [y] })`. */
export function functionalModel({
  inputs,
  outputs,
}: {
  readonly inputs: readonly ModelValue[];
  readonly outputs: readonly ModelValue[];
}): KerasConfig {
  const calls = callsBefore([...inputs, ...outputs]);
  const names = namesOf(calls.keys());
  const place = (value: ModelValue) => [names.get(value.layer), calls.get(value.layer)?.indexOf(value), 0];
  const layers = [...calls].map(([each, values]) => {
    const nodes = values.filter((value) => value.inputs.length > 0);
    return {
      ...{ ...writeLayer(each, names.get(each)), name: names.get(each) },
      inbound_nodes: nodes.map((value) => value.inputs.map((from) => [...place(from), {}])),
    };
  });
  const config = {
    ...{ name: 'functional', layers },
    ...{ input_layers: inputs.map(place), output_layers: outputs.map(place) },
  };
  return { class_name: 'Functional', config };
}

/** The layers that values come from, each with its calls; a layer comes behind those that it reads. */
function callsBefore(values: readonly ModelValue[]): ReadonlyMap<TaskLayer, readonly ModelValue[]> {
  const calls = new Map<TaskLayer, ModelValue[]>();
  const visit = (value: ModelValue) => {
    if (calls.get(value.layer)?.includes(value)) return;
    value.inputs.forEach(visit);
    calls.set(value.layer, [...(calls.get(value.layer) ?? []), value]);
  };
  values.forEach(visit);
  return calls;
}

/** A name for each layer: its own, else as Keras numbers those of a class, `dense`, `dense_1`. */
function namesOf(layers: Iterable<TaskLayer>): ReadonlyMap<TaskLayer, string> {
  const counts = new Map<string, number>();
  const names = new Map<TaskLayer, string>();
  for (const each of layers) {
    const { className, config } = each;
    const plain = className.replaceAll(/(?<=[a-z\d])(?=[A-Z])/g, '_').toLowerCase();
    const count = counts.get(plain) ?? 0;
    if (config.name === undefined) counts.set(plain, count + 1);
    names.set(each, `${config.name ?? numbered(plain, count)}`);
  }
  return names;
}

function writeLayer({ className, config }: TaskLayer, name = className.toLowerCase()): KerasConfig {
  const settings = Object.entries(config).map(([key, value]) => [
    key,
    typeof value === 'function' ? writeLayer(value as TaskLayer) : value,
  ]);
  return { class_name: className, config: { ...Object.fromEntries(settings), name } };
}
