/** An answer in pictures: what was done to an upload step by step, and what the model saw. */
import sharp from 'sharp';
import type { PictureStep } from '../../lib/digits/preprocess.js';
import type { Classified, DigitAnswer } from './classify.js';
import { toDataUrl } from './decode-image.js';

/** A picture with what it shows. */
interface ShownStage {
  readonly name: string;
  /** A PNG as `data:` address. */
  readonly image: string;
}

/** One digit's answer with its pictures. */
interface ExplainedDigit extends DigitAnswer {
  /** The model's input, of its own size. */
  readonly seen: string;
  readonly steps: readonly ShownStage[];
}

/** All pictures behind an answer. */
export interface Explanation {
  /** What was done to the whole picture. */
  readonly steps: readonly ShownStage[];
  readonly digits: readonly ExplainedDigit[];
}

/** Steps are shown as small pictures. */
const SHOWN_SIDE = 160;
/** A row of many signs is explained up to here; the others have an answer and what the model saw. */
const EXPLAINED_SIGNS = 12;

/** Draws the pictures behind an answer. */
export async function explain({ stages, read, inputShape }: Classified): Promise<Explanation> {
  const draw = (each: readonly PictureStep[]) => Promise.all(each.map(drawStage));
  const [steps, ...digits] = await Promise.all([
    draw(stages),
    ...read.map(async ({ answer, input, stages: own }, at) => ({
      ...answer,
      seen: await toDataUrl(input.pixels, inputShape),
      steps: await draw(at < EXPLAINED_SIGNS ? own : []),
    })),
  ]);
  return { steps, digits };
}

async function drawStage({ name, image }: PictureStep): Promise<ShownStage> {
  const { width, height, values } = image;
  const levels = Uint8Array.from(values, (value) => Math.round(Math.max(0, Math.min(1, value)) * 255));
  const png = await sharp(levels, { raw: { width, height, channels: 1 } })
    .resize({ width: SHOWN_SIDE, height: SHOWN_SIDE, fit: 'inside', withoutEnlargement: true })
    .png()
    .toBuffer();
  return { name, image: `data:image/png;base64,${png.toString('base64')}` };
}
