/** Parsers of option values that several commands share; each throws a usage error that names the flag. */
import { InvalidArgumentError } from 'commander';

/** Bounds of a numeric option, both included. */
interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** Bounds of an option that need not be whole: `above` and `below` are not included. */
interface NumberBounds extends Bounds {
  readonly above?: number;
  readonly below?: number;
}

/** More threads than any machine has cores: a slip of the finger must not take the machine down. */
export const MAX_THREADS = 1024;

/** A parser of whole numbers within bounds. */
export function integerOption({
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
}: Bounds = {}): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^[+-]?\d+$/.test(text.trim()) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected a whole number ${range(min, max)}, found "${text}".`);
    }
    return value;
  };
}

/** A parser of finite numbers within bounds. */
export function numberOption({
  min = -Infinity,
  max = Infinity,
  above = -Infinity,
  below = Infinity,
}: NumberBounds = {}): (text: string) => number {
  const bounds = [
    ...(above > -Infinity ? [`above ${above}`] : []),
    ...(min > -Infinity || max < Infinity ? [range(min, max)] : []),
    ...(below < Infinity ? [`below ${below}`] : []),
  ];
  return (text) => {
    const value = Number(text);
    const inside = value >= min && value <= max && value > above && value < below;
    if (text.trim() === '' || !Number.isFinite(value) || !inside) {
      throw new InvalidArgumentError(`Expected a number ${bounds.join(' and ')}, found "${text}".`);
    }
    return value;
  };
}

function range(min: number, max: number): string {
  if (Number.isFinite(max) && max !== Number.MAX_SAFE_INTEGER) return `from ${min} to ${max}`;
  return Number.isFinite(min) ? `of at least ${min}` : '';
}

/** Numbers with commas between them; none for an empty list. */
export function clientList(text: string): readonly number[] {
  if (text.trim() === '') return [];
  if (/^\d+(,\d+)*$/.test(text.trim())) return text.split(',').map(Number);
  throw new InvalidArgumentError(`Expected numbers of clients such as 3,7,12, found "${text}".`);
}
