/** What was seen on a machine with a card: results.json, which travels from there to here; and docs/GPU.md's table of it. */
import { z } from 'zod';
import { formatMarkdown, replaceSection } from '../report.js';

const rowSchema = z.intersection(
  z.object({
    /** Whose: a backend (`onnx/webgpu`), a framework beside us, or the machine. */
    side: z.string(),
    /** E.g. `CNN, batch 100`. */
    what: z.string(),
    seconds: z.number(),
  }),
  z.discriminatedUnion('status', [
    /** `shown` is what a table says of it. */
    z.object({ status: z.literal('ran'), shown: z.string(), figures: z.record(z.string(), z.unknown()) }),
    z.object({
      status: z.enum(['not possible here', 'failed']),
      reason: z.string(),
      /** Of a check of many parts, each that failed. */
      failures: z.array(z.string()).readonly().optional(),
    }),
  ]),
);
export type Row = Readonly<z.infer<typeof rowSchema>>;

export const resultsSchema = z.object({
  /** When it began: ISO 8601. */
  date: z.string(),
  /** Version and commit of what ran. */
  fedbatch: z.string(),
  /** The card's name; null where none was found. */
  card: z.string().nullable(),
  machine: z.string(),
  /** Sizes that are good for a try-out and not for figures. */
  tiny: z.boolean(),
  /** The names of the checks that were chosen, where not all were. */
  only: z.string().optional(),
  rows: z.array(rowSchema).readonly(),
});
export type Results = Readonly<z.infer<typeof resultsSchema>>;

/** Of the machine itself, in `side`. */
export const MACHINE = 'machine';
/** Whether a backend works at all, in `what`. */
export const WORKS = 'works';

/** Before this line of the document, cards are added. */
const NEXT_CARD = '<!-- the next card -->';

/** The name of a card's block, e.g. `gpu-nvidia-h100-80gb-hbm3`. */
const blockOf = (card: string) => `gpu-${card.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`;

const cellOf = (row: Row | undefined) => {
  if (row === undefined) return '–';
  return row.status === 'ran' ? row.shown : row.status;
};

/** The table, a row for each side and a column for each check, and below it why something did not run. */
export function formatResults({ date, fedbatch, machine, rows }: Results): string {
  const ofSides = rows.filter(({ side }) => side !== MACHINE);
  const columns = [...new Set(ofSides.map(({ what }) => what))];
  const sides = [...new Set(ofSides.map(({ side }) => side))];
  const cell = (side: string, what: string) => ofSides.find((row) => row.side === side && row.what === what);
  const table = {
    header: ['', ...columns],
    rows: sides.map((side) => [
      `\`${side}\``.replace(/^`PyTorch(.*)`$/, 'PyTorch$1'),
      ...columns.map((what) => cellOf(cell(side, what))),
    ]),
  };
  const facts = rows.flatMap((row) =>
    row.side === MACHINE && row.status === 'ran' ? [`${row.what}: ${row.shown}`] : [],
  );
  const reasons = rows.flatMap((row) =>
    row.status === 'ran' ? [] : [`- ${nameOf(row)}: ${row.status}: ${row.reason.replaceAll('|', '\\|')}`],
  );
  return [
    formatMarkdown(table),
    ...(reasons.length === 0 ? [] : [reasons.join('\n')]),
    `*${[`${date.slice(0, 10)}, fedbatch ${fedbatch}; ${machine}`, ...facts].join('. ')}.*`,
  ].join('\n\n');
}

/** Which row it is, e.g. `onnx/webgpu, CNN, batch 100`. */
export const nameOf = ({ side, what }: Pick<Row, 'side' | 'what'>): string =>
  side === MACHINE ? what : what === WORKS ? side : `${side}, ${what}`;

/** The document with a card's block anew, or with one more. @throws {Error} where no card was seen, not all was checked, or sizes were tiny */
export function withCard(document: string, results: Results): string {
  const { card, tiny, only } = results;
  if (card === null) throw new Error('the results are of a machine without a card');
  if (only !== undefined) throw new Error(`the results are of some checks alone: ${only}`);
  if (tiny) throw new Error('the results are of a try-out, whose figures say nothing');
  const name = blockOf(card);
  const marked = document.includes(`<!-- bench:${name} -->`)
    ? document
    : document.replace(
        NEXT_CARD,
        () => `### ${card}\n\n<!-- bench:${name} -->\n<!-- /bench:${name} -->\n\n${NEXT_CARD}`,
      );
  return replaceSection(marked, name, formatResults(results));
}
