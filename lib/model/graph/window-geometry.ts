/** Where the windows of a convolution or a pool lie: output size and padding, as TensorFlow defines them. */

/** How a convolution or a pool treats the border: `valid` drops it, `same` pads with zeros as TensorFlow does. */
export type Padding = 'valid' | 'same';

/** Height and width of a window or a step, in pixels. */
export type Extent = readonly [height: number, width: number];

/** Along both axes: how many windows there are, and what is padded or left over. */
export interface WindowGeometry {
  readonly output: Extent;
  /** Zeros added before the first row and column. */
  readonly padBefore: Extent;
  /** Zeros added after the last row and column. */
  readonly padAfter: Extent;
  /** Rows and columns at the end that no window covers (`valid` with strides). */
  readonly uncovered: Extent;
}

/** Settings of a window that moves over an image. */
export interface WindowSettings {
  readonly window: Extent;
  readonly strides: Extent;
  readonly padding: Padding;
}

/** The geometry of a window over `input` pixels (height, width). */
export function windowGeometry(input: Extent, { window, strides, padding }: WindowSettings): WindowGeometry {
  const rows = axisGeometry(input[0], { window: window[0], stride: strides[0], padding });
  const columns = axisGeometry(input[1], { window: window[1], stride: strides[1], padding });
  return {
    output: [rows.output, columns.output],
    padBefore: [rows.before, columns.before],
    padAfter: [rows.after, columns.after],
    uncovered: [rows.uncovered, columns.uncovered],
  };
}

/** The ONNX attribute `pads`: begins, then ends. */
export function onnxPads(geometry: WindowGeometry): readonly number[] {
  return [...geometry.padBefore, ...geometry.padAfter];
}

interface AxisSettings {
  readonly window: number;
  readonly stride: number;
  readonly padding: Padding;
}

function axisGeometry(size: number, { window, stride, padding }: AxisSettings) {
  const output = padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - window) / stride) + 1;
  const spanned = (output - 1) * stride + window;
  const padded = padding === 'same' ? Math.max(0, spanned - size) : 0;
  const before = Math.floor(padded / 2);
  return { output, before, after: padded - before, uncovered: Math.max(0, size + padded - spanned) };
}
