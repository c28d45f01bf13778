/** The names of the models that come with fedbatch; their layers are described in `lib/engine/model-zoo.ts`. */

/** What `--model` takes. */
export const MODEL_NAMES = ['cnn', 'mlp', '2nn', 'mcmahan-cnn', 'lenet'] as const;
export type ModelName = (typeof MODEL_NAMES)[number];
