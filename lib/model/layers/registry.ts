/** All layers that there are: to add one, write its module and name it here. */
import { activationLayer } from './activation.js';
import { averagePooling2d } from './average-pooling-2d.js';
import { batchNormalization } from './batch-normalization.js';
import { conv2d } from './conv2d.js';
import { dense } from './dense.js';
import { dropout } from './dropout.js';
import { flatten } from './flatten.js';
import { foreign } from './foreign.js';
import { globalAveragePooling2d } from './global-average-pooling-2d.js';
import type { LayerModule, NamedLayer } from './layer-module.js';
import { maxPooling2d } from './max-pooling-2d.js';
import type { KerasClass } from './settings.js';

const MODULES = [
  conv2d,
  maxPooling2d,
  averagePooling2d,
  globalAveragePooling2d,
  dense,
  flatten,
  dropout,
  activationLayer,
  batchNormalization,
  foreign,
] as const;

type LayerOf<Module> = Module extends LayerModule<infer L> ? L : never;

/** One layer; `name` is unique in its model and names its weights. */
export type Layer = LayerOf<(typeof MODULES)[number]>;

/** The modules, in the order in which users are told of them. */
export const LAYER_MODULES: readonly LayerModule[] = MODULES;

const BY_KIND: ReadonlyMap<string, LayerModule> = new Map(LAYER_MODULES.map((each) => [each.kind, each]));

/** What is known of a layer. */
export function moduleOf({ kind }: NamedLayer): LayerModule {
  const module = BY_KIND.get(kind);
  if (module === undefined) throw new Error(`no module of layers ${kind}`);
  return module;
}

/** A class of Keras, and the module of the layer that it is read as. */
interface KnownClass {
  readonly module: LayerModule;
  readonly kerasClass: KerasClass;
}

/** The classes that we know, by each of their names. */
export const KERAS_CLASSES: ReadonlyMap<string, KnownClass> = new Map(
  LAYER_MODULES.flatMap((module) =>
    module.keras.flatMap((kerasClass) =>
      kerasClass.names.map((name) => [name, { module, kerasClass }] as const),
    ),
  ),
);
