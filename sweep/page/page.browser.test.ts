/** The page of a sweep in a real browser: light and dark, on a desk and on a phone. */
import { test } from 'node:test';
import { skipWithoutChromium } from '../../server/testing/chromium.js';
import { checkDrawnPages } from '../../test/drawn-pages.js';
import { drawnSweep, sampleSweep } from '../testing/sample-sweep.js';
import { renderSweepPage } from './page.js';

const skip = skipWithoutChromium();

test('the page fits a desk and a phone, asks for no other file, and its labels can be read', { skip }, (t) =>
  checkDrawnPages(t, {
    'sweep-grid': renderSweepPage(sampleSweep()),
    'sweep-drawn': renderSweepPage(drawnSweep()),
  }),
);
