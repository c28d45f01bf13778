/** Large bodies of requests that are slow to parse, or take much memory once they are. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { ServedApp } from './served-app.js';

interface Pattern {
  readonly begin: string;
  readonly part: string;
  readonly end?: string;
}

/** A body that begins, repeats and ends as said. */
export const bodyOf = (sizeBytes: number, { begin, part, end = '' }: Pattern): string =>
  begin + part.repeat(Math.floor((sizeBytes - begin.length - end.length) / part.length)) + end;

const PATTERNS: Readonly<Record<string, Pattern>> = {
  'objects within objects': { begin: '', part: '{"a":' },
  'empty lists': { begin: '{"instances":[', part: '[],', end: '[]]}' },
  'lists of one number': { begin: '{"instances":[', part: '[0],', end: '[0]]}' },
  'empty objects': { begin: '{"instances":[', part: '{},', end: '{}]}' },
  'short texts': { begin: '{"instances":[', part: '"a",', end: '0]}' },
  numbers: { begin: '{"instances":[[', part: '0,', end: '0]]}' },
  'numbers within a list too many': { begin: '{"instances":[[[[[[[[[[', part: '0,', end: '0]]]]]]]]]]}' },
  'one long text': { begin: '{"instances":"', part: '\\"', end: '"}' },
  'one text without an end': { begin: '{"instances":"', part: 'a' },
};

/** What a server answers. */
export async function postText(url: string, body: string) {
  const response = await fetch(url, { method: 'POST', body });
  return { status: response.status, text: await response.text() };
}

/** Defines the tests of such bodies of a size: the process that serves grows by so many bytes at most. */
export function testLargeBodies(
  app: () => ServedApp,
  { sizeBytes, mostGrowth }: { readonly sizeBytes: number; readonly mostGrowth: number },
): void {
  const bodies: Readonly<Record<string, () => string>> = {
    'lists within lists': () => '['.repeat(sizeBytes / 2) + ']'.repeat(sizeBytes / 2),
    ...Object.fromEntries(
      Object.entries(PATTERNS).map(([what, pattern]) => [what, () => bodyOf(sizeBytes, pattern)]),
    ),
  };
  for (const [what, make] of Object.entries(bodies)) {
    it(`are refused, and the server stays small: ${what}`, async () => {
      const body = make();
      const before = process.memoryUsage().rss;
      for (const path of ['/v1/models/model:predict', '/v2/models/model/infer']) {
        const { status, text } = await postText(app().url + path, body);
        assert.equal(status, 400, text.slice(0, 200));
        assert.ok(text.length < 500, 'the answer tells nothing of its size');
      }
      const grown = process.memoryUsage().rss - before;
      assert.ok(grown < mostGrowth, `grew by ${(grown / 2 ** 20).toFixed(0)} MiB`);
    });
  }
}
