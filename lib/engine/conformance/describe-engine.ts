/** The tests that every engine on every backend passes, defined for `node:test`. */
import { before, describe } from 'node:test';
import type { Engine } from '../engine.js';
import { describeDeterminism } from './determinism.js';
import type { EngineUnderTest } from './engine-under-test.js';
import { describeForward } from './forward.js';
import { describeGradients } from './gradients.js';
import { describeMemory } from './memory.js';
import { describeTraining } from './training.js';

/** Between the noise of garbage collection and the 32 MB of a copy of all weights per step. */
const GROWTH_MB = 16;

/** Defines the conformance tests of one engine. */
export function describeEngine(
  name: string,
  { load, skip, count, tolerance = 1e-4, growthMb = GROWTH_MB }: EngineUnderTest,
): void {
  describe(`${name} conforms`, { skip: skip ?? false }, () => {
    let engine: Engine;
    before(async () => {
      engine = await load();
    });
    const suite = { engine: () => engine, count, tolerance, growthMb };
    describeForward(suite);
    describeGradients(suite);
    describeTraining(suite);
    describeDeterminism(suite);
    describeMemory(suite);
  });
}
