import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder } from './graph-builder.js';

const float = { type: 'float32', shape: [1] } as const;

test('a node makes an output under its name, and what cannot be renamed is copied', () => {
  const graph = new GraphBuilder();
  const x = graph.input('x', 'float32', [1]);
  const y = graph.op('Abs', [x]);
  const z = graph.op('Neg', [y]);
  const inner = graph.inner();
  const body = { nodes: [], constants: [], inputs: [], outputs: [] };
  const read = inner.op('Neg', [z]);
  const attributes = { body: { graph: { ...body, nodes: inner.nodes } } };
  graph.node({ type: 'Scan', domain: '', inputs: [y], outputs: [read], attributes });
  for (const [name, tensor] of Object.entries({ first: y, second: y, inside: z, given: x }))
    graph.output(name, tensor, float);
  const nodes = graph.build().nodes.map(({ type, inputs, outputs }) => [type, ...inputs, ...outputs]);
  assert.deepEqual(nodes, [
    ['Abs', 'x', 'first'],
    ['Neg', 'first', z],
    ['Scan', 'first', read],
    ['Identity', 'first', 'second'],
    ['Identity', z, 'inside'],
    ['Identity', 'x', 'given'],
  ]);
});
