/** A reporter of node:test: a line of JSON for each test that ended. */
import type { TestEvent } from 'node:test/reporters';

/** How a test ended. */
export interface TestLine {
  readonly name: string;
  readonly ok: boolean;
  readonly isSkipped: boolean;
  /** The first line of its error. */
  readonly reason?: string;
}

export default async function* testLines(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const { name, details, skip } = event.data;
    if (details.type === 'suite' && event.type === 'test:pass') continue;
    const [reason] = event.type === 'test:fail' ? event.data.details.error.message.split('\n') : [];
    // A suite fails with its tests, or by itself where a hook of it does.
    if (details.type === 'suite' && /subtests? failed/.test(reason ?? '')) continue;
    const line: TestLine = {
      ...{ name, ok: event.type === 'test:pass', isSkipped: skip !== undefined },
      ...(reason === undefined ? {} : { reason }),
    };
    yield `${JSON.stringify(line)}\n`;
  }
}
