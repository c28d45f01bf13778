/** All layers that there are: to add one, write its module and name it here. */

import { activationLayer } from './activation.js';
import { activityPenalty } from './activity-penalty.js';
import { concatenate } from './concatenate.js';
import { dense } from './dense.js';
import { dot } from './dot.js';
import { dropout } from './dropout.js';
import { foreign } from './foreign.js';
import { alphaDropout, gaussianDropout, gaussianNoise } from './gaussian-noise.js';
import { cropping2d, upSampling2d, zeroPadding2d } from './images/borders-2d.js';
import { conv2d } from './images/conv2d.js';
import { conv2dTranspose } from './images/conv2d-transpose.js';
import { depthwiseConv2d } from './images/depthwise-conv2d.js';
import {
  averagePooling2d,
  globalAveragePooling2d,
  globalMaxPooling2d,
  maxPooling2d,
} from './images/pooling-2d.js';
import { separableConv2d } from './images/separable-conv2d.js';
import type { LayerModule, NamedLayer } from './layer-module.js';
import { merge } from './merge.js';
import { batchNormalization } from './normalization/batch-normalization.js';
import { featureNormalization } from './normalization/feature-normalization.js';
import { groupNormalization } from './normalization/group-normalization.js';
import { layerNormalization } from './normalization/layer-normalization.js';
import { unitNormalization } from './normalization/unit-normalization.js';
import { eluLayer, leakyReluLayer, pReLU, reluLayer } from './rectifiers.js';
import { rescaling } from './rescaling.js';
import { flatten, permute, reshapeLayer } from './reshaping.js';
import { cropping1d, repeatVector, upSampling1d, zeroPadding1d } from './sequences/borders-1d.js';
import { conv1d } from './sequences/conv1d.js';
import { embedding } from './sequences/embedding.js';
import { gru } from './sequences/gru.js';
import { lstm } from './sequences/lstm.js';
import { masking } from './sequences/masking.js';
import { multiHeadAttention } from './sequences/multi-head-attention.js';
import {
  averagePooling1d,
  globalAveragePooling1d,
  globalMaxPooling1d,
  maxPooling1d,
} from './sequences/pooling-1d.js';
import { simpleRnn } from './sequences/simple-rnn.js';
import { bidirectionalOf, timeDistributedOf } from './sequences/wrappers.js';
import type { KerasClass } from './settings.js';
import { spatialDropout1d, spatialDropout2d } from './spatial-dropout.js';

/** For layers around other ones. */
const KNOWN = { moduleOf, classOf: (className: string) => KERAS_CLASSES.get(className) };

const MODULES = [
  conv2d,
  depthwiseConv2d,
  separableConv2d,
  conv2dTranspose,
  maxPooling2d,
  averagePooling2d,
  globalAveragePooling2d,
  globalMaxPooling2d,
  zeroPadding2d,
  cropping2d,
  upSampling2d,
  dense,
  flatten,
  reshapeLayer,
  permute,
  dropout,
  spatialDropout1d,
  spatialDropout2d,
  gaussianNoise,
  gaussianDropout,
  alphaDropout,
  activationLayer,
  reluLayer,
  leakyReluLayer,
  eluLayer,
  pReLU,
  batchNormalization,
  layerNormalization,
  groupNormalization,
  unitNormalization,
  rescaling,
  featureNormalization,
  merge,
  concatenate,
  dot,
  embedding,
  masking,
  simpleRnn,
  lstm,
  gru,
  conv1d,
  maxPooling1d,
  averagePooling1d,
  globalMaxPooling1d,
  globalAveragePooling1d,
  zeroPadding1d,
  cropping1d,
  upSampling1d,
  repeatVector,
  multiHeadAttention,
  bidirectionalOf(KNOWN),
  timeDistributedOf(KNOWN),
  activityPenalty,
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
