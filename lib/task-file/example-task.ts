/** The example that `fedbatch init-task` writes: it is TypeScript and JavaScript alike, and trains as it stands. */

/** @param file what the file is called, e.g. `task.ts` */
export const exampleTask = (file: string): string => `/**
 * What is learned here: the model, how it is trained, and what is done to the examples first. Try it on the digits that
 * come with fedbatch:
 *
 *   npx fedbatch run --task ./${file}
 *
 * and on your own data with --data mine.npz. docs/TASKS.md tells all that a task may say. The file stands alone: it
 * imports fedbatch and Node's own modules, and nothing else.
 */
import { defineTask, input, layer, sequentialModel } from 'fedbatch';

export default defineTask({
  // Layers have the names and the settings of Keras (docs/MODELS.md); functionalModel({ inputs, outputs }) makes a graph of
  // them. Other ways to name a model:
  //   model: zoo('mlp', { hidden: [64, 32] }),   one that comes with fedbatch (import zoo, too)
  //   model: './model.keras',                    a file of Keras: .keras, .h5, or the .json of to_json
  model: sequentialModel(input([28, 28]), [
    layer('Flatten'),
    layer('Dense', { units: 64, activation: 'relu' }),
    layer('Dropout', { rate: 0.2 }),
    layer('Dense', { units: 10, activation: 'softmax' }),
  ]),

  // As --loss, --optimizer and --learning-rate; flags of a run win over what stands here.
  loss: 'categorical_crossentropy',
  optimizer: 'adam',
  learningRate: 0.002,

  // What the run reports of each round's model. The first one leads: by it a model is the best one.
  metrics: ['accuracy', 'f1'],

  // What is done to the examples before they are dealt to the clients, to those for the test as well. inputs and targets
  // are lists, since a model may have several of both; each is { name, shape: [n, ...], values }. Targets are labels in an
  // Int32Array, or numbers in a Float32Array. As many examples come back, in the same order.
  prepare(examples) {
    const [image] = examples.inputs;
    // Pixels from 0..255 to -1..1.
    const values = Float32Array.from(image.values, (pixel) => pixel / 127.5 - 1);
    return { ...examples, inputs: [{ ...image, values }] };
  },
});
`;
