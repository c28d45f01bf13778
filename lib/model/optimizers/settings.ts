/** How the settings of optimizers are declared: what several of them have. */
import { flagOff, type LayerSetting, numberWithin } from '../layers/settings.js';

/** A number from 0 to 1. */
export const share = (key: string, fallback: number): LayerSetting<number> =>
  numberWithin({
    keys: [key],
    expected: 'a share from 0 to 1',
    fallback,
    isIn: (value) => value >= 0 && value <= 1,
  });

/** What keeps a divisor from 0. */
export const epsilon: LayerSetting<number> = numberWithin({
  keys: ['epsilon'],
  expected: 'a number above 0',
  fallback: 1e-7,
  isIn: (value) => value > 0,
});

/** Of the kinds of Adam: shares of their moments that stay in each step. */
export const moments = { beta1: share('beta_1', 0.9), beta2: share('beta_2', 0.999), epsilon };

/** True, or left out. */
export const switchedOn = (key: string): LayerSetting<true | undefined> => {
  const { keys, expected, read } = flagOff(key);
  return { keys, expected, read: (settings) => read(settings) || undefined };
};
