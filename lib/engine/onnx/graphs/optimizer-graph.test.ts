import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GraphBuilder } from '../../../model/graph/graph-builder.js';
import type { Parameter } from '../../../model/parameters.js';
import { disableTelemetry } from '../../native-environment.js';
import { createInferenceSession, loadOnnxRuntime } from '../runtime.js';
import { encodeOnnxModel } from './onnx-model.js';
import { splitGroup } from './optimizer-graph.js';

test('a flat group of many members is split into them by operators of few outputs', async () => {
  disableTelemetry();
  const runtime = await loadOnnxRuntime('cpu', 1);
  const lengths = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 70 });
  await fc.assert(
    fc.asyncProperty(lengths, async (given) => {
      const size = given.reduce((sum, length) => sum + length, 0);
      const graph = new GraphBuilder();
      const members = given.map((length, index) => ({
        length,
        index,
        offset: 0,
        parameter: {} as Parameter,
      }));
      const parts = splitGroup(graph, graph.input('flat', 'float32', [size]), { members });
      for (const [at, part] of parts.entries())
        graph.output(`part/${at}`, graph.op('Identity', [part]), {
          type: 'float32',
          shape: [given[at] ?? 0],
        });
      for (const { type, inputs, outputs } of graph.nodes) {
        // Without the lengths, which no shader binds; the standard promises 8 buffers.
        if (type === 'Split') assert.ok(inputs.length - 1 + outputs.length <= 8, `${outputs.length} outputs`);
      }
      const session = await createInferenceSession(encodeOnnxModel(graph.build()), { runtime, threads: 1 });
      const flat = Float32Array.from({ length: size }, (_, at) => at);
      const found = await session.run({ flat: new runtime.Tensor('float32', flat, [size]) });
      await session.release();
      const all = given.map((_, at) => Array.from(found[`part/${at}`]?.data as Float32Array));
      assert.deepEqual(
        all.map(({ length }) => length),
        given,
      );
      assert.deepEqual(all.flat(), [...flat]);
    }),
    { numRuns: 20 },
  );
});
