/** The initializers of Keras by their classes, and what they mean. */
import { z } from 'zod';
import { own } from '../../core/own.js';
import type { Initializer } from '../initializers.js';

const scaled = (scale: number, fan: 'in' | 'average', draw: 'uniform' | 'truncated'): Initializer => ({
  ...{ kind: 'scaled', scale, fan, draw },
});

const number = (fallback: number) => z.number().default(fallback);
const normal = (isTruncated: boolean) =>
  z
    .looseObject({ mean: number(0), stddev: number(0.05) })
    .transform(({ mean, stddev }): Initializer => ({ kind: 'normal', mean, deviation: stddev, isTruncated }));
const always = (initializer: Initializer) => z.unknown().transform(() => initializer);

/** Settings of Keras' classes to what they mean; their seeds are not those of a run. */
const CLASSES: Readonly<Record<string, z.ZodType<Initializer, unknown>>> = {
  Zeros: always({ kind: 'constant', value: 0 }),
  Ones: always({ kind: 'constant', value: 1 }),
  Constant: z.looseObject({ value: number(0) }).transform(({ value }) => ({ kind: 'constant', value })),
  RandomUniform: z
    .looseObject({ minval: number(-0.05), maxval: number(0.05) })
    .transform(({ minval, maxval }) => ({ kind: 'uniform', from: minval, to: maxval })),
  RandomNormal: normal(false),
  TruncatedNormal: normal(true),
  GlorotUniform: always(scaled(1, 'average', 'uniform')),
  GlorotNormal: always(scaled(1, 'average', 'truncated')),
  HeUniform: always(scaled(2, 'in', 'uniform')),
  HeNormal: always(scaled(2, 'in', 'truncated')),
  LecunUniform: always(scaled(1, 'in', 'uniform')),
  LecunNormal: always(scaled(1, 'in', 'truncated')),
  VarianceScaling: z
    .looseObject({
      scale: z.number().positive().default(1),
      mode: z.enum(['fan_in', 'fan_out', 'fan_avg']).default('fan_in'),
      distribution: z
        .enum(['uniform', 'normal', 'truncated_normal', 'untruncated_normal'])
        .default('truncated_normal'),
    })
    .transform(({ scale, mode, distribution }) => ({
      ...{ kind: 'scaled' as const, scale },
      fan: ({ fan_in: 'in', fan_out: 'out', fan_avg: 'average' } as const)[mode],
      draw: (
        {
          uniform: 'uniform',
          normal: 'truncated',
          truncated_normal: 'truncated',
          untruncated_normal: 'normal',
        } as const
      )[distribution],
    })),
};

const classSchema = z.object({ class_name: z.string(), config: z.unknown().optional() });

/** What a Keras configuration says of an array, by class or by an old name such as `glorot_uniform`; undefined where it is not known here. */
export function readInitializer(keras: unknown): Initializer | undefined {
  const parsed = classSchema.safeParse(typeof keras === 'string' ? { class_name: keras } : keras);
  if (!parsed.success) return undefined;
  const { class_name: name, config = {} } = parsed.data;
  const className = name.replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase());
  return own(CLASSES, className)?.safeParse(config).data;
}
