/** The process in which uploaded pictures are decoded. */
import { plainAnswer } from '../../lib/http/problems.js';
import { answerApart } from '../../lib/system/answer-apart.js';
import type { DecodeRequest } from './decode-apart.js';
import { decodeImage, readSides } from './decode-image.js';

answerApart(({ wanted, bytes }: DecodeRequest) =>
  plainAnswer(async () => (wanted === 'sides' ? readSides : decodeImage)(bytes)),
);
