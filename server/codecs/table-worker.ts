/** The process in which uploaded Parquet files are read. */
import { plainAnswer } from '../../lib/http/problems.js';
import { answerApart } from '../../lib/system/answer-apart.js';
import { readTableBody, type TableRequest } from './tables.js';

answerApart((given: TableRequest) => plainAnswer(() => readTableBody(given)));
