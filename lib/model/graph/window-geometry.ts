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
  /** Pixels from one place of the window to the next; 1 by default. */
  readonly dilation?: Extent;
}

/** The geometry of a window over `input` pixels (height, width). */
export function windowGeometry(
  input: Extent,
  { window, strides, padding, dilation = [1, 1] }: WindowSettings,
): WindowGeometry {
  const [rows, columns] = ([0, 1] as const).map((axis) =>
    axisGeometry(input[axis], {
      window: (window[axis] - 1) * dilation[axis] + 1,
      stride: strides[axis],
      padding,
    }),
  ) as [AxisGeometry, AxisGeometry];
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

interface AxisGeometry {
  readonly output: number;
  readonly before: number;
  readonly after: number;
  readonly uncovered: number;
}

function axisGeometry(size: number, { window, stride, padding }: AxisSettings): AxisGeometry {
  const output = padding === 'same' ? Math.ceil(size / stride) : Math.floor((size - window) / stride) + 1;
  const spanned = (output - 1) * stride + window;
  const padded = padding === 'same' ? Math.max(0, spanned - size) : 0;
  const before = Math.floor(padded / 2);
  return { output, before, after: padded - before, uncovered: Math.max(0, size + padded - spanned) };
}
