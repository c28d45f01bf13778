/** Figures for records, without digits that mean nothing. */

/** `value` with at most so many decimals; what is not finite stays as it is. */
export function roundTo(value: number, decimals: number): number {
  const scale = 10 ** decimals;
  return Math.round(value * scale) / scale;
}
