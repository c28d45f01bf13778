/** sharp as this house uses it: only the loaders of the pictures that people give, and nothing kept of what was decoded. */
import sharp from 'sharp';

// The loaders of libvips that may ever run in this process, and nothing else.
sharp.block({ operation: ['VipsForeignLoad'] });
sharp.unblock({
  operation: [
    'VipsForeignLoadPng',
    'VipsForeignLoadJpeg',
    'VipsForeignLoadWebp',
    'VipsForeignLoadNsgif',
    'VipsForeignLoadHeif',
  ],
});
// Every picture is another one: a cache of decoded ones would only hold memory.
sharp.cache(false);
// Pictures are decoded beside each other already; more threads for one gain nothing.
sharp.concurrency(1);

/** 40 megapixels: more than a phone's camera makes, and at most some 160 MB while it is decoded. */
export const MAX_INPUT_PIXELS = 40_000_000;

export { sharp };
