/** `data.yaml`: how data are to be understood, as an import found it and people edit it; given as a dataset, it stands for the data. */

import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { DataError } from '../../core/errors.js';
import { shellWord } from '../data/mending-lines.js';
import { readTextFile } from '../files/read-file.js';

const columnName = z.string().min(1);
const names = z.array(z.string()).min(1);

const inputSchema = z.strictObject({
  columns: z
    .union([z.array(columnName).min(1), z.literal('others')])
    .describe('The columns whose numbers stand side by side; `others`: all that nothing else names.'),
  shape: z
    .array(z.int().min(1))
    .optional()
    .describe(
      'Of one example, where the numbers are no plain row: `[28, 28]` of an image, `[12, 1]` of a sequence.',
    ),
  type: z
    .enum(['float32', 'uint8'])
    .optional()
    .describe('Numbers from 0 to 255 may be kept as uint8: images. By default float32.'),
  categories: z
    .union([names, z.literal('all')])
    .optional()
    .describe(
      'Texts that become whole numbers for an Embedding: the first is 1, and 0 is what is none of them; `all`: those that occur, sorted.',
    ),
});

/** How a table is understood. */
const tableSchema = z.strictObject({
  kind: z.literal('table'),
  source: z.string().min(1).describe('The file or folder, as seen from this file.'),
  target: z
    .strictObject({
      column: columnName,
      as: z.enum(['labels', 'numbers']),
      classes: names.optional().describe('What the labels 0, 1, … stand for in the column.'),
    })
    .describe('What the model is to answer.'),
  client: columnName
    .optional()
    .describe(
      'The column that says whose a row is: rows are dealt by it, unless something else is asked for.',
    ),
  test: z
    .strictObject({ column: columnName, from: z.union([z.number(), z.string()]) })
    .optional()
    .describe('Rows whose time or number in this column is not before this one are the test.'),
  inputs: z
    .record(z.string().regex(/^[^/]+$/, 'expected a name without /'), inputSchema)
    .refine((inputs) => Object.keys(inputs).length > 0, 'expected at least one input')
    .describe('What the model is given, by the names of its inputs.'),
  missing: z
    .record(columnName, z.union([z.number(), z.literal(['drop', 'mean', 'unknown'])]))
    .optional()
    .describe(
      "What a cell without a value stands for, by column: a number; `mean`, the mean of the column over all clients' training examples; `unknown`, the category 0; `drop`, which leaves the row out.",
    ),
  units: z
    .record(columnName, z.string().min(1))
    .optional()
    .describe('What the numbers of a column are counted in, by column: `years`, `EUR`; for people.'),
  ignored: z.array(columnName).optional().describe('Columns that nothing is made of.'),
});

/** How a folder of pictures is understood. */
const picturesSchema = z.strictObject({
  kind: z.literal('pictures'),
  source: z.string().min(1).describe('The folder, as seen from this file.'),
  size: z
    .tuple([z.int().min(1), z.int().min(1)])
    .describe('Height and width of an image; others are brought to it.'),
  channels: z.literal([1, 3]).describe('1 for grey, 3 for colour.'),
  classes: names.describe('The folders, in the order of their labels.'),
});

/** The document. */
export const descriptionSchema = z.discriminatedUnion('kind', [tableSchema, picturesSchema]).meta({
  title: 'Description of data (data.yaml)',
  description: 'How a table or a folder of pictures is understood; `--data` takes it in place of the data.',
});

export type TableDescription = Readonly<z.infer<typeof tableSchema>>;
export type PicturesDescription = Readonly<z.infer<typeof picturesSchema>>;
export type DataDescription = TableDescription | PicturesDescription;

/** The line that writes a description to edit: it says what a column is, and what stands for a missing value. */
export function describeLine(source: string): string {
  return `npx fedbatch dataset import ${shellWord(source)} --yaml data.yaml`;
}

/** The text of a description, with what its reader needs to know to edit it. */
export async function descriptionText(description: DataDescription): Promise<string> {
  const { Document, isSeq, visit } = await import('yaml');
  const document = new Document(description);
  document.commentBefore = ` What fedbatch understood of ${description.source}. Edit it and give it with --data; docs/DATA.md says what each field is.`;
  // Lists of columns and categories are easier to read in lines than one below the other.
  visit(document, {
    Seq(_, node) {
      if (isSeq(node)) node.flow = true;
    },
  });
  return document.toString({ lineWidth: 120 });
}

/** A description from its file, with the path of what it describes. @throws {DataError} when it is none, by the field */
export async function readDescription(file: string): Promise<DataDescription> {
  const text = await readTextFile(file, 'a description of data');
  const { parseYaml } = await import('../../core/yaml-document.js');
  const document = parseYaml(
    text,
    (found, cause) => new DataError({ file, expected: 'YAML', found }, { cause }),
  );
  const read = descriptionSchema.safeParse(document);
  if (read.success) return { ...read.data, source: resolve(dirname(file), read.data.source) };
  const [issue] = read.error.issues;
  const where = issue?.path.join('.') || 'the document';
  throw new DataError({ file, expected: `a description of data`, found: `${where}: ${issue?.message}` });
}
