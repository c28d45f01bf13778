/** safetensors: the weights as plain arrays by their names in Keras, and the architecture as text beside them. */
import { writeFileAtomic } from '../lib/formats/files/atomic-file.js';
import { factsAsText } from './facts.js';
import type { ExportFormat } from './format.js';

/** The data begin at a multiple of it, so that readers can map them into memory. */
const ALIGNMENT = 8;

/**
 * One file: the length of a header, the header in JSON, the arrays one after the other
 * (https://github.com/huggingface/safetensors#format).
 */
export const safetensors: ExportFormat = {
  title: 'a safetensors file',
  ending: '.safetensors',
  async prepare({ file: { weights, modelConfig, kerasVersion } }, { facts }) {
    let offset = 0;
    const entries = weights.map(({ name, shape, values }) => {
      const begin = offset;
      offset += values.byteLength;
      return [name, { dtype: 'F32', shape, data_offsets: [begin, offset] }] as const;
    });
    const header = JSON.stringify({
      __metadata__: { ...factsAsText(facts), kerasVersion, modelConfig: JSON.stringify(modelConfig) },
      ...Object.fromEntries(entries),
    });
    const text = Buffer.from(header);
    const padded = Math.ceil(text.length / ALIGNMENT) * ALIGNMENT;
    const head = Buffer.alloc(8 + padded, ' ');
    head.writeBigUInt64LE(BigInt(padded));
    text.copy(head, 8);
    const arrays = weights.map(({ values }) =>
      Buffer.from(values.buffer, values.byteOffset, values.byteLength),
    );
    return (path) => writeFileAtomic(path, Buffer.concat([head, ...arrays]));
  },
};
