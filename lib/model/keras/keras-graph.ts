/** The layers of a Keras `model_config` and how they are called, in the dialects of Keras 1, 2 and 3; nested models are flattened. */
import { z } from 'zod';
import { ModelError } from '../../core/errors.js';
import { CHAIN_INPUT, type LayerCall } from '../model-description.js';
import { type InboundNode, inboundNodes, type ValuePlace, valuePlaces } from './inbound-nodes.js';
import { kerasLayerName, kerasLayerTitle } from './keras-layers.js';
import {
  asKerasObject,
  type KerasObject,
  KerasSettings,
  quote,
  requireKerasClass,
} from './keras-settings.js';

/** Keras' class of a model's input. */
const INPUT = 'InputLayer';
const MASKING_OPERATION = 'NotEqual';
/** Keras' classes of models. */
const MODELS: ReadonlySet<string> = new Set(['Sequential', 'Functional', 'Model']);

/** A model as its file describes it, before its layers are interpreted. */
export interface KerasGraph {
  readonly name: string;
  readonly inputs: readonly { readonly name: string; readonly shape: unknown; readonly dtype: unknown }[];
  readonly layers: readonly KerasObject[];
  readonly calls: readonly LayerCall[];
  readonly outputs: readonly string[];
  readonly nested: readonly (readonly string[])[];
}

const layersSchema = z.array(
  z.object({
    class_name: z.string(),
    config: z.union([z.record(z.string(), z.unknown()), z.array(z.unknown())]),
    name: z.string().optional(),
    module: z.string().nullish(),
    registered_name: z.string().nullish(),
    inbound_nodes: z.unknown().optional(),
  }),
);
/** Keras 1 keeps the layers of a Sequential as a list, later versions in an object. */
const modelSchema = z.object({
  class_name: z.string(),
  config: z.union([
    layersSchema,
    z.looseObject({
      name: z.string().optional(),
      layers: layersSchema,
      build_input_shape: z.array(z.number().nullable()).nullish(),
      input_layers: z.unknown().optional(),
      output_layers: z.unknown().optional(),
    }),
  ]),
});
const classNameSchema = z.object({ class_name: z.string() });

type ListedLayer = z.infer<typeof layersSchema>[number];

/** The graph in a `model_config`. @throws {ModelError} when it is none that Keras writes */
export function readKerasGraph(modelConfig: unknown): KerasGraph {
  const { name, ...settings } = parseModel(modelConfig);
  const collector = new Collector();
  const outputs = collector.model({ name, ...settings }, { prefix: '', given: undefined });
  const { inputs, layers, calls, nested } = collector;
  return { name, inputs, layers: [...layers.values()], calls, outputs, nested };
}

interface ParsedModel {
  readonly isChain: boolean;
  readonly name: string;
  readonly layers: readonly ListedLayer[];
  readonly buildShape: unknown;
  readonly inputLayers: unknown;
  readonly outputLayers: unknown;
}

function parseModel(modelConfig: unknown): ParsedModel {
  const parsed = modelSchema.safeParse(modelConfig);
  const className = classNameSchema.safeParse(modelConfig).data?.class_name ?? '';
  if (!parsed.success || !MODELS.has(className)) {
    throw new ModelError(
      className !== '' && !MODELS.has(className)
        ? `a ${className} model`
        : `a model_config with another ${parsed.error?.issues[0]?.path.join('.') || 'structure'} than Keras writes`,
    );
  }
  const { config } = parsed.data;
  const isChain = className === 'Sequential';
  const {
    layers,
    name = isChain ? 'sequential' : 'model',
    build_input_shape: buildShape,
    input_layers: inputLayers,
    output_layers: outputLayers,
    ...settings
  } = Array.isArray(config) ? { layers: config } : config;
  new KerasSettings(`model ${name}`, settings).requireAllRead();
  return { isChain, name, layers, buildShape, inputLayers, outputLayers };
}

/** Where a model stands: before the names of its layers, and the values it is called on; none for the whole model. */
interface Standing {
  readonly prefix: string;
  readonly given: readonly string[] | undefined;
}

/** Goes through a model, and the models in it, call by call. */
class Collector {
  readonly inputs: { name: string; shape: unknown; dtype: unknown }[] = [];
  readonly layers = new Map<string, KerasObject>();
  readonly calls: LayerCall[] = [];
  readonly nested: (readonly string[])[] = [];
  /** The values that there are. */
  readonly #values = new Set<string>();

  /** The names of what a model gives. */
  model(model: ParsedModel, standing: Standing): readonly string[] {
    for (const each of model.layers) {
      if (!MODELS.has(each.class_name)) requireKerasClass(objectOf(each), `layer ${listedName(each)}`);
    }
    return model.isChain ? this.#chain(model, standing) : this.#functional(model, standing);
  }

  #chain({ layers, buildShape }: ParsedModel, { prefix, given }: Standing): readonly string[] {
    const [first] = layers;
    let last = given ?? [this.#input(CHAIN_INPUT, first === undefined ? {} : firstConfig(first), buildShape)];
    for (const layer of layers) {
      if (layer.class_name === INPUT) requireInput(objectOf(layer));
      else last = this.#call(layer, { prefix, given: last });
    }
    return last;
  }

  #functional(model: ParsedModel, { prefix, given }: Standing): readonly string[] {
    const found = new Map<string, string>();
    const key = ({ layer, node, tensor }: ValuePlace) => `${layer}\n${node}\n${tensor}`;
    const inputPlaces = valuePlaces(model.inputLayers);
    const open: { readonly layer: ListedLayer; readonly node: InboundNode; readonly index: number }[] = [];
    for (const layer of model.layers) {
      const name = listedName(layer);
      if (layer.class_name === INPUT) {
        const object = objectOf(layer);
        requireInput(object);
        const at = inputPlaces.findIndex((place) => place.layer === name);
        found.set(key({ layer: name, node: 0, tensor: 0 }), given?.[at] ?? name);
        continue;
      }
      // What Keras 3 makes masks by, which layers here know by themselves.
      if (layer.class_name === MASKING_OPERATION) continue;
      for (const [index, node] of inboundNodes(layer.inbound_nodes, titleOf(layer)).entries())
        open.push({ layer, node, index });
    }
    // In the order in which the model is called on them.
    for (const { layer: name } of given === undefined ? inputPlaces : []) {
      const layer = model.layers.find((each) => listedName(each) === name);
      if (layer !== undefined) this.#input(name, configOf(layer), undefined);
    }
    const places = [...open.flatMap(({ node }) => node.inputs), ...valuePlaces(model.outputLayers)];
    // Keras counts the node that a model was built by as its first, for models of some classes.
    const offsets = new Map(
      model.layers
        .filter(({ class_name: className }) => MODELS.has(className))
        .map((layer) => {
          const own = places.filter((place) => place.layer === listedName(layer));
          return [listedName(layer), own.some(({ node }) => node === 0) ? 0 : 1];
        }),
    );
    while (open.length > 0) {
      const at = open.findIndex(({ layer, node, index }) => {
        const isNext = open.find((each) => each.layer === layer)?.index === index;
        return isNext && node.inputs.every((place) => found.has(key(place)));
      });
      const [next] = open.splice(at, at < 0 ? 0 : 1);
      if (next === undefined) {
        const stuck = open[0] as (typeof open)[number];
        const missing = stuck.node.inputs.find((place) => !found.has(key(place)));
        throw new ModelError(
          `${titleOf(stuck.layer)}: reads output ${missing?.tensor} of layer ${missing?.layer}, which is not supported`,
        );
      }
      const { layer, node, index } = next;
      const inputs = node.inputs.map((place) => found.get(key(place)) as string);
      const name = listedName(layer);
      for (const [tensor, value] of this.#call(layer, { prefix, given: inputs }).entries())
        found.set(key({ layer: name, node: index + (offsets.get(name) ?? 0), tensor }), value);
    }
    return valuePlaces(model.outputLayers).map((place) => {
      const value = found.get(key(place));
      if (value !== undefined) return value;
      throw new ModelError(`an output of layer ${place.layer} that it does not have`);
    });
  }

  #input(name: string, config: Readonly<Record<string, unknown>>, buildShape: unknown): string {
    const shape = config.batch_input_shape ?? config.batch_shape ?? buildShape;
    const given = Array.isArray(shape)
      ? shape.slice(1)
      : typeof config.input_dim === 'number'
        ? [config.input_dim]
        : undefined;
    this.inputs.push({ name, shape: given, dtype: config.dtype });
    this.#values.add(name);
    return name;
  }

  /** The names of what a layer, or a model as a layer, gives. */
  #call(listed: ListedLayer, { prefix, given = [] }: Standing): readonly string[] {
    const name = prefix + listedName(listed);
    if (MODELS.has(listed.class_name)) {
      const before = new Set(this.layers.keys());
      const outputs = this.model(parseModel(objectOf(listed)), { prefix: `${name}_`, given });
      const own = [...this.layers.keys()].filter((each) => !before.has(each));
      if (prefix === '' && own.length > 0) this.nested.push(own);
      return outputs;
    }
    const { config, ...object } = objectOf(listed);
    this.layers.set(name, { ...object, config: { ...config, name } });
    const earlier = this.calls.filter(({ layer }) => layer === name).length;
    let output = earlier === 0 ? name : `${name}:${earlier}`;
    // An input may have the name of a layer.
    while (this.#values.has(output)) output = `${output}'`;
    this.#values.add(output);
    this.calls.push({ layer: name, inputs: given, output });
    return [output];
  }
}

/** The settings by which the first layer of a chain tells the input's shape, inside models at its beginning too. */
function firstConfig(layer: ListedLayer): Readonly<Record<string, unknown>> {
  if (!MODELS.has(layer.class_name)) return configOf(layer);
  const { layers, inputLayers, buildShape } = parseModel(objectOf(layer));
  const [place] = inputLayers === undefined ? [] : valuePlaces(inputLayers);
  const first = place === undefined ? layers[0] : layers.find((each) => listedName(each) === place.layer);
  const config = first === undefined ? {} : firstConfig(first);
  return config.batch_input_shape === undefined &&
    config.batch_shape === undefined &&
    Array.isArray(buildShape)
    ? { ...config, batch_shape: buildShape }
    : config;
}

function configOf({ config }: ListedLayer): Readonly<Record<string, unknown>> {
  return Array.isArray(config) ? {} : config;
}

function listedName(layer: ListedLayer): string {
  return layer.name ?? kerasLayerName(objectOf(layer));
}

const titleOf = (layer: ListedLayer): string => `layer ${listedName(layer)} (${layer.class_name})`;

/** Keras 1's merges, by their mode. */
const MERGES: ReadonlyMap<unknown, string> = new Map([
  ['sum', 'Add'],
  ['mul', 'Multiply'],
  ['ave', 'Average'],
  ['max', 'Maximum'],
  ['concat', 'Concatenate'],
  ['dot', 'Dot'],
]);

/** What a listed layer is, without what else the list says of it. */
function objectOf(listed: ListedLayer): KerasObject {
  const { class_name: className, module, registered_name: registered } = listed;
  const config = listed.config as KerasObject['config'];
  const object = { module, registered_name: registered };
  if (className !== 'Merge') return { ...object, class_name: className, config };
  const merged = MERGES.get(config.mode);
  if (merged === undefined)
    throw new ModelError(`layer ${String(config.name)} (Merge): mode ${quote(config.mode)} is not supported`);
  const { name, concat_axis: axis, dot_axes: axes } = config;
  const own = merged === 'Concatenate' ? { axis } : merged === 'Dot' ? { axes } : {};
  return { ...object, class_name: merged, config: { name, ...own } };
}

/** An input that is no array of numbers says so; whole numbers are given as floats. */
function requireInput(object: KerasObject): void {
  const settings = new KerasSettings(kerasLayerTitle(object), object.config);
  if (isInteger(object.config.dtype)) settings.ignore('dtype');
  settings.requireAllRead();
}

/** Whether a type is one of whole numbers. */
export function isInteger(dtype: unknown): boolean {
  const policy = asKerasObject(dtype);
  return /^u?int(8|16|32|64)$/.test(String(policy?.config.name ?? dtype));
}
