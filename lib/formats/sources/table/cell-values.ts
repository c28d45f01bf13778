/** What the cells of a column stand for: numbers, categories, classes, owners. */
import { DataError } from '../../../core/errors.js';
import { MAX_CLASSES } from '../../../federation/examples.js';
import type { TableDescription } from '../description.js';
import type { Column } from './column.js';
import { sortedTexts } from './table-plan.js';

/** What a description says of the missing cells of a column. */
export type Rule = NonNullable<TableDescription['missing']>[string] | undefined;

/** Numbers with what stands for one that is missing; where no number does, there is none. */
export function filledBy(rule: Rule): (value: number) => number {
  const stand = typeof rule === 'number' ? rule : 0;
  return (value) => (Number.isNaN(value) ? stand : value);
}

/** Number 0 is what is none of the texts, as Keras' StringLookup has it. */
export function categoryValues(column: Column, texts: readonly string[]): (value: number) => number {
  const places = placesOf(column, texts);
  return (value) => (places[value] ?? -1) + 1;
}

/** Where each text of a column, by its number, stands in a list of them; -1 for one that is not there. */
function placesOf({ texts }: Column, list: readonly string[]): readonly number[] {
  const places = new Map(list.map((text, at) => [text, at]));
  return [...(texts?.keys() ?? [])].map((text) => places.get(text) ?? -1);
}

/** What the cells of the target stand for, and the names of the classes. @throws {DataError} for what are no labels */
export function targetValues(
  target: Column,
  { target: { as, classes }, source, missing: { [target.name]: rule } = {} }: TableDescription,
) {
  const fault = (expected: string, found: string) =>
    new DataError({ file: source, expected: `${expected} in column ${target.name}`, found });
  if (as === 'numbers') {
    if (target.type === 'text') throw fault('numbers', 'texts');
    return { values: filledBy(rule), classNames: undefined };
  }
  if (target.type === 'text') {
    const classNames = classes ?? sortedTexts(target);
    const places = placesOf(target, classNames);
    return { values: (value: number) => places[value] as number, classNames };
  }
  if (classes !== undefined) {
    // Of exact numbers the classes are the names.
    const places = new Map(classes.map((name, at) => [Number(name), at]));
    return { values: (value: number) => places.get(value) as number, classNames: classes };
  }
  const labels = `labels, whole numbers from 0 to ${MAX_CLASSES - 1},`;
  if (!target.isWhole || target.least < 0 || target.most >= MAX_CLASSES)
    throw fault(labels, `numbers from ${target.least} to ${target.most}`);
  if (typeof rule === 'number' && !(Number.isInteger(rule) && rule >= 0 && rule < MAX_CLASSES))
    throw fault(labels, `${rule} under missing`);
  return { values: filledBy(rule), classNames: undefined };
}

/** Owners in the order of their names: as numbers where all are, else as texts. @throws {DataError} for more than we count */
export function ownersOf(client: Column) {
  const names = sortedTexts(client);
  if (names.every((name) => Number.isFinite(Number(name)))) names.sort((a, b) => Number(a) - Number(b));
  const places = placesOf(client, names);
  return { names, numberOf: (value: number) => places[value] as number };
}
