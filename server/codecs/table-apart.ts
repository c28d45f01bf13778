/** Parquet files, read in a process of its own: one that ends or stops it is refused, and holds up no others but those. */
import { HttpProblem, type PlainAnswer, valueIn } from '../../lib/http/problems.js';
import { ApartEnded, createApart } from '../../lib/system/apart.js';
import type { TableExamples, TableRequest } from './tables.js';

/** A table of as many cells as there may be takes a quarter of it. */
const MOST_CPU_MS = 8_000;
/** For one that waits for a processor. */
const DEADLINE_MS = 60_000;
/** Such a table takes 400 MiB. */
const MOST_BYTES = 640 * 2 ** 20;

/** One file at a time: what fails is that file. */
const reader = createApart<TableRequest, PlainAnswer<TableExamples>>({
  module: new URL('./table-worker.js', import.meta.url),
  deadlineMs: DEADLINE_MS,
  mostCpuMs: MOST_CPU_MS,
  mostBytes: MOST_BYTES,
  atOnce: 1,
  isQuiet: true,
});

/** As `readTableBody`, of a Parquet file. @throws {HttpProblem} 400 likewise, and for what its reader does not survive */
export async function readParquetApart(given: TableRequest): Promise<TableExamples> {
  const answer = await reader.ask(given).catch((error: unknown) => {
    throw error instanceof ApartEnded && error.wasReady ? refusal(error) : error;
  });
  return valueIn(answer);
}

function refusal(cause: ApartEnded): HttpProblem {
  const found = {
    late: 'one that takes too long to read',
    large: `one that takes more than ${MOST_BYTES / 2 ** 20} MiB to read`,
    ended: 'one that is damaged in a way that ends its reader',
  }[cause.why];
  return new HttpProblem(400, `Expected a Parquet file, found ${found}.`, { cause });
}
