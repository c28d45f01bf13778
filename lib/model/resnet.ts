/** A small residual network with group normalisation, for images of any size. */
import type { ActivationName } from './layers/activation.js';
import type { Layer } from './layers/registry.js';
import type { LayerCall } from './model-description.js';

/** Channels of each stage; every stage but the first halves the image. */
const STAGES = [16, 32, 64];
/** Groups of a normalisation. */
const GROUPS = 8;

/**
 * The residual network of He et al. 2016 for small images (arXiv 1512.03385, §4.2) with one block in each stage, eight
 * weighted layers in a row; shortcuts are projections where the shape changes. Groups in place of batches are normalised
 * (Wu and He 2018), since clients that see different classes have different statistics (Hsieh et al. 2020, arXiv
 * 1910.00189).
 */
export function resnet(
  { outputs, activation }: { readonly outputs: number; readonly activation: ActivationName },
  input: string,
) {
  const layers: Layer[] = [];
  const calls: LayerCall[] = [];
  const call = (layer: Layer, ...inputs: readonly string[]): string => {
    layers.push(layer);
    calls.push({ layer: layer.name, inputs, output: layer.name });
    return layer.name;
  };
  const convolve = (name: string, x: string, shape: { filters: number; side: number; stride: number }) => {
    const { filters, side, stride } = shape;
    return call(
      {
        ...{ kind: 'conv2d', name, filters, kernel: [side, side], strides: [stride, stride] },
        ...{ padding: 'same', useBias: false, activation: 'linear' },
      },
      x,
    );
  };
  const normalise = (name: string, x: string) =>
    call(
      {
        kind: 'groupNormalization',
        name,
        groups: GROUPS,
        axis: -1,
        epsilon: 1e-3,
        center: true,
        scale: true,
      },
      x,
    );
  const relu = (name: string, x: string) => call({ kind: 'activation', name, activation: 'relu' }, x);
  const [first = 0] = STAGES;
  let x = convolve('conv', input, { filters: first, side: 3, stride: 1 });
  x = relu('relu', normalise('norm', x));
  for (const [at, filters] of STAGES.entries()) {
    const stage = `stage${at + 1}`;
    const stride = at === 0 ? 1 : 2;
    let y = convolve(`${stage}_conv1`, x, { filters, side: 3, stride });
    y = relu(`${stage}_relu1`, normalise(`${stage}_norm1`, y));
    y = convolve(`${stage}_conv2`, y, { filters, side: 3, stride: 1 });
    y = normalise(`${stage}_norm2`, y);
    const isSame = at === 0;
    const shortcut = isSame
      ? x
      : normalise(`${stage}_norm`, convolve(`${stage}_conv`, x, { filters, side: 1, stride }));
    const sum = call({ kind: 'merge', name: `${stage}_add`, operation: 'add' }, y, shortcut);
    x = relu(`${stage}_relu`, sum);
  }
  x = call({ kind: 'globalAveragePooling2d', name: 'pool' }, x);
  x = call({ kind: 'dense', name: 'dense', units: outputs, useBias: true, activation }, x);
  return { layers, calls, outputs: [x] };
}
