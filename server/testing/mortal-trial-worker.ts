/** The process that tries models, but it ends or stops by those of certain names: to test what happens then. */
import { answerApart } from '../../lib/system/answer-apart.js';

/** The process ends by the one, and never answers of the other. */
export const [ENDING_MODEL, STOPPING_MODEL] = ['ending.h5', 'stopping.h5'] as const;

if (process.send !== undefined) {
  answerApart(({ modelPath }: { readonly modelPath: string }) => {
    if (modelPath === ENDING_MODEL) process.exit(134);
    return new Promise(() => undefined);
  });
}
