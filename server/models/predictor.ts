/** What the server asks of a model: its facts and its predictions, wherever the model runs. */
import { sizeOf } from '../../lib/core/weights.js';
import type { TaskName } from '../../lib/federation/metrics.js';
import type { ModelCard } from './model-card.js';
import type { AnswerFacts, ServedInput, ServedOutput } from './served-facts.js';

/** The inputs of a model, pictures among them. */
export const inputsOf = ({
  inputs,
  inputShape = [0, 0, 0],
  signature,
  scale,
}: ModelCard): readonly ServedInput[] =>
  inputs ?? [{ name: signature.input, shape: inputShape, isPicture: true, scale }];

/** The outputs of a model. */
export const outputsOf = ({ outputs, classes, task, signature }: ModelCard): readonly ServedOutput[] =>
  outputs ?? [{ name: signature.output, shape: [classes], task: (task ?? 'classification') as TaskName }];

/** What its answers mean. */
export const answerFactsOf = (card: ModelCard): AnswerFacts => ({
  inputs: inputsOf(card),
  outputs: outputsOf(card),
  labels: card.labels,
  target: card.target,
});

/** Whether it tells apart what pictures show: the page is one for a picture then, and else a form of its inputs. */
export const isPictureReader = ({ inputShape, task }: ModelCard): boolean =>
  inputShape !== undefined && task === undefined;

/** Numbers of all inputs of one example. */
export const rowSizeOf = (card: ModelCard): number =>
  inputsOf(card).reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** A model that answers. */
export interface Predictor {
  /** Facts of the loaded model; undefined while none can answer. */
  card(): ModelCard | undefined;
  /**
   * What the model says of `count` images or other examples: class probabilities, or the numbers of another task.
   *
   * @param images `[count, h, w, c]`, in the numbers of the card's scale; of several inputs, for each example the numbers
   *   of all of them, one after the other. The caller must not use them afterwards
   * @returns `[count, classes]`, each row of probabilities sums to 1; of several outputs, for each example the numbers of
   *   all of them, one after the other
   * @throws {PredictorUnavailableError} when the model is not there, or went away before it answered
   */
  predict(images: Float32Array, count: number): Promise<Float32Array>;
  /** Lets go of the model; what is asked then is refused. */
  close(): Promise<void>;
}
