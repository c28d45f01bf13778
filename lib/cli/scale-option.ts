/** The option that says which numbers stand for black and white: shared by `split`, `run`, `serve` and `predict`. */
import { InvalidArgumentError, Option } from 'commander';
import { type PixelScale, parseScale } from '../federation/pixel-scale.js';

/** What the option parses to; `auto` is what holds without it, for manifests of Kubernetes, which give every argument. */
export type GivenScale = PixelScale | 'auto';

/** The scale that was named, if one was. */
export function namedScale(given: GivenScale | undefined): { readonly scale?: PixelScale } {
  return given === undefined || given === 'auto' ? {} : { scale: given };
}

/** The option; without it the scale is found. */
export function scaleOption(
  help = 'numbers that are black and white in the images, e.g. -1..1 or 0..16, for each channel with commas ' +
    '(default: auto, found in the images; 0..255 for uint8)',
): Option {
  return new Option('--scale <black..white>', help).argParser(scaleArgument);
}

function scaleArgument(text: string): GivenScale {
  if (text === 'auto') return text;
  const scale = parseScale(text);
  if (scale !== undefined) return scale;
  throw new InvalidArgumentError(
    `Expected two different numbers such as -1..1, or a pair for each channel with commas between, found "${text}".`,
  );
}
