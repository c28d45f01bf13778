/** What every engine learns is what Keras learns: the losses of 20 steps with each optimizer and setting of training. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { sizeOf } from '../../core/weights.js';
import { describeKerasConfig } from '../../model/keras/keras-model.js';
import type { KerasObject } from '../../model/keras/keras-settings.js';
import { readOptimizer } from '../../model/optimizers/keras-optimizer.js';
import { OPTIMIZER_NAMES } from '../../model/optimizers/optimizer-names.js';
import { initialWeights } from '../../model/parameters.js';
import type { Batch } from '../engine.js';
import { train } from './engine-runs.js';
import type { EngineSuite } from './engine-under-test.js';

/** Of a loss, or of its size where that is above 1, after 20 steps in float32. */
const TOLERANCE = 1e-4;

/** What `make_training_fixtures.py` writes. */
interface TrainingFixture {
  readonly features: number;
  readonly batch: number;
  readonly classes: number;
  readonly cases: Readonly<
    Record<
      string,
      { readonly model: unknown; readonly optimizer: KerasObject; readonly losses: readonly number[] }
    >
  >;
}

/** Defines the tests of training beside Keras. */
export function describeKerasTraining(suite: EngineSuite): void {
  for (const version of ['2', '3']) {
    const file = `../../../../lib/engine/conformance/fixtures/keras${version}-training.json`;
    const fixture = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as TrainingFixture;
    describe(`trains as Keras ${version}`, () => {
      it('with every optimizer', () => {
        const tried = Object.values(fixture.cases).map(({ optimizer: { class_name: name, config } }) =>
          readOptimizer(name, config),
        );
        assert.deepEqual(new Set(tried.map(({ kind }) => kind)), new Set(OPTIMIZER_NAMES), file);
      });

      for (const [name, { model, optimizer, losses }] of Object.entries(fixture.cases)) {
        it(name, async () => {
          const description = describeKerasConfig(model, { kerasVersion: version });
          const weights = initialWeights(description, 0).map(({ name: array, shape }, index) => {
            const offset = /gamma|variance/.test(array) ? 1.5 : 0;
            const values = Float32Array.from(
              fixed(sizeOf(shape), index + 201),
              (each) => each * 0.6 + offset,
            );
            return { name: array, shape, values };
          });
          const training = train(
            suite.engine(),
            { description, weights },
            {
              steps: losses.length,
              optimizer: readOptimizer(optimizer.class_name, optimizer.config),
              batchOf: (step) => batchOf(fixture, step),
              batchSize: fixture.batch,
            },
          );
          const message = suite.refusal?.(description);
          if (message !== undefined) {
            await assert.rejects(training, { name: 'ModelError', message });
            return;
          }
          const found = await training;
          for (const [step, { loss }] of found.results.entries()) {
            const difference = Math.abs(loss - (losses[step] as number));
            assert.ok(
              difference < TOLERANCE * Math.max(1, loss),
              `step ${step}: loss ${loss}, Keras ${losses[step]}`,
            );
          }
        });
      }
    });
  }
}

function batchOf({ features, batch, classes }: TrainingFixture, step: number): Batch {
  const inputs = [Float32Array.from(fixed(batch * features, step + 1))];
  const targets = [Int32Array.from(fixed(batch, step + 101), (each) => Math.trunc(Math.abs(each) * classes))];
  return { count: batch, inputs, targets };
}

/** As `fixed` of the fixtures' maker. */
const fixed = (count: number, salt: number): Float64Array =>
  Float64Array.from({ length: count }, (_, at) => Math.sin((at + 1) * 12.9898 + salt * 78.233));
