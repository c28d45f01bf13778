/** A process in which Parquet files are read. */
import { answerApart } from '../../../system/answer-apart.js';
import { Column } from './column.js';
import type { ParquetAnswer, ParquetTold, ParquetWork } from './parquet.js';
import { addPart, damageOf, readParquetColumns } from './parquet-columns.js';

/** After so many values that stay here, a word of them. */
const TOLD_ROWS = 65_536;

answerApart<ParquetWork, ParquetTold>(async ({ file, columns, copies }, tell): Promise<ParquetAnswer> => {
  const counted = copies.map((copy) => (copy === undefined ? undefined : Column.fromCopy(copy)));
  let untold = 0;
  try {
    const facts = await readParquetColumns({ file, columns }, async (part) => {
      const column = counted[part.column];
      if (column === undefined) return await tell(part);
      addPart(column, part);
      untold += part.values.length;
      if (untold < TOLD_ROWS) return;
      await tell({ counted: untold });
      untold = 0;
    });
    return { facts, found: counted.map((column) => (column === undefined ? undefined : { ...column })) };
  } catch (error) {
    return { damage: damageOf(error) };
  }
});
