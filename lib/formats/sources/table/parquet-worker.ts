/** The process in which Parquet files are read. */
import { answerApart } from '../../../system/answer-apart.js';
import type { ParquetAnswer } from './parquet.js';
import { damageOf, type ParquetPart, type ParquetRequest, readParquetColumns } from './parquet-columns.js';

answerApart<ParquetRequest, ParquetPart>(async (request, tell): Promise<ParquetAnswer> => {
  try {
    return { facts: await readParquetColumns(request, tell) };
  } catch (error) {
    return { damage: damageOf(error) };
  }
});
