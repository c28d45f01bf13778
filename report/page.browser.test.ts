/** The report in a real browser: light and dark, on a desk and on a phone. */
import { test } from 'node:test';
import { skipWithoutChromium } from '../server/testing/chromium.js';
import { checkDrawnPages } from '../test/drawn-pages.js';
import { sampleRecords } from '../test/sample-records.js';
import { renderReport } from './report.js';

const skip = skipWithoutChromium();

test(
  'the page fits a desk and a phone, asks for no other file, and says nothing in the console',
  {
    skip,
  },
  (t) => checkDrawnPages(t, { report: renderReport(sampleRecords()) }),
);
