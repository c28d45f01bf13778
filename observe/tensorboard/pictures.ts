/** Pictures of a test of a classifier: its confusion matrix, and the examples that it took for something else. */
import { type Confusion, MOST_DENSE_CLASSES } from '../../lib/formats/confusions.js';
import type { Pixels } from '../../lib/formats/files/png.js';
import { type Colour, createCanvas, type Rectangle, TEXT_HEIGHT, textWidth } from './canvas.js';
import type { PngPicture } from './event-message.js';

const WHITE: Colour = [255, 255, 255];
const GREY: Colour = [110, 110, 110];
const RIGHT: Colour = [33, 102, 172];
const WRONG: Colour = [178, 24, 43];

/** Up to so many classes have their numbers written into the cells. */
const MOST_WRITTEN = 30;
const PLAIN_CELL = 8;
const PADDING = 6;

/**
 * A row for each class, a column for each class that the model took it for: the darker, the larger the share of the row;
 * blue where it is right. Undefined for more classes than anybody can look at.
 */
export function confusionPicture(entries: readonly Confusion[]): PngPicture | undefined {
  const classes = entries.reduce((most, [label, predicted]) => Math.max(most, label + 1, predicted + 1), 0);
  if (classes === 0 || classes > MOST_DENSE_CLASSES) return undefined;
  const isWritten = classes <= MOST_WRITTEN;
  const most = entries.reduce((highest, [, , count]) => Math.max(highest, count), 0);
  const cell = isWritten
    ? { width: textWidth(`${most}`) + PADDING, height: TEXT_HEIGHT + 2 * PADDING }
    : { width: PLAIN_CELL, height: PLAIN_CELL };
  const head = isWritten
    ? { width: textWidth('99') + PADDING, height: cell.height }
    : { width: 0, height: 0 };
  const canvas = createCanvas(head.width + classes * cell.width, head.height + classes * cell.height);
  const place = (row: number, column: number): Rectangle => ({
    ...cell,
    x: head.width + column * cell.width,
    y: head.height + row * cell.height,
  });
  if (isWritten) {
    for (let at = 0; at < classes; at++) {
      canvas.write(`${at}`, { ...place(at, 0), x: 0, width: head.width }, GREY);
      canvas.write(`${at}`, { ...place(0, at), y: 0 }, GREY);
    }
  }
  const ofRow = new Map<number, number>();
  for (const [label, , count] of entries) ofRow.set(label, (ofRow.get(label) ?? 0) + count);
  for (const [label, predicted, count] of entries) {
    if (count === 0) continue;
    const share = count / (ofRow.get(label) ?? count);
    const box = place(label, predicted);
    // A single mistake among many is still to be seen.
    const shade = label === predicted ? share : 0.15 + 0.85 * Math.min(1, share * 4);
    canvas.paint(box, mixed(label === predicted ? RIGHT : WRONG, shade));
    if (isWritten) canvas.write(`${count}`, box, shade > 0.5 ? WHITE : GREY);
  }
  return canvas.toPng();
}

/** An example of a class that was taken for another one. */
export interface SeenMistake {
  readonly label: number;
  readonly predicted: number;
  readonly pixels: Pixels;
}

const ACROSS = 6;
const SHOWN_SIDE = 64;

/** The examples, each above `its class > what it was taken for`. */
export function mistakesPicture(mistakes: readonly SeenMistake[]): PngPicture | undefined {
  const [first] = mistakes;
  if (first === undefined) return undefined;
  const { width, height } = first.pixels;
  const scale = Math.max(1, Math.round(SHOWN_SIDE / Math.max(width, height)));
  const caption = TEXT_HEIGHT + PADDING;
  const cell = {
    width: Math.max(width * scale, textWidth('99>99')) + PADDING,
    height: height * scale + caption + PADDING,
  };
  const canvas = createCanvas(ACROSS * cell.width, Math.ceil(mistakes.length / ACROSS) * cell.height);
  for (const [at, { label, predicted, pixels }] of mistakes.entries()) {
    const x = (at % ACROSS) * cell.width;
    const y = Math.floor(at / ACROSS) * cell.height;
    canvas.show(pixels, { x, y, scale });
    canvas.write(
      `${label}>${predicted}`,
      { x, y: y + height * scale, width: cell.width, height: caption },
      WRONG,
    );
  }
  return canvas.toPng();
}

/** From white to the colour. */
const mixed = (colour: Colour, share: number): Colour =>
  colour.map((value) => Math.round(255 + (value - 255) * share)) as unknown as Colour;
