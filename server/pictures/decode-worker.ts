/** The process in which uploaded pictures are decoded, and a model's inputs made of them. */
import { plainAnswer } from '../../lib/http/problems.js';
import { answerApart } from '../../lib/system/answer-apart.js';
import { pauseSeldom } from '../../lib/system/memory.js';
import type { DecodeRequest } from './decode-apart.js';
import { prepareImage, readSides } from './decode-image.js';

pauseSeldom();
answerApart(({ bytes, input }: DecodeRequest) =>
  plainAnswer<unknown>(() => (input === undefined ? readSides(bytes) : prepareImage(bytes, input))),
);
