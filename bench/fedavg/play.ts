/** A play as examples of next characters, by who speaks. */
import type { NamedArray } from '../../lib/formats/data/npz.js';

/**
 * 20 characters and the one that follows, by who speaks; those with little to say are left out. The test is what each of
 * them says last, a tenth.
 */
export function charactersOf(play: string) {
  const speeches = new Map<string, string>();
  for (const [, speaker = '', speech = ''] of play.matchAll(/(?<=\n\n)([A-Z][A-Za-z ]+)\.\n((?:.+\n)+)/g))
    speeches.set(speaker, (speeches.get(speaker) ?? '') + speech);
  const speakers = [...speeches].filter(([, said]) => said.length > 6000).map(([speaker]) => speaker);
  const rows = {
    train: { x: [] as number[], y: [] as number[], speaker: [] as number[] },
    test: { x: [] as number[], y: [] as number[] },
  };
  for (const [number, speaker] of speakers.entries()) {
    const codes = [...(speeches.get(speaker) as string)].map((each) => Math.min(127, each.charCodeAt(0)));
    for (let from = 0; from + 20 < codes.length; from += 8) {
      const part = from > 0.9 * codes.length ? rows.test : rows.train;
      part.x.push(...codes.slice(from, from + 20));
      part.y.push(codes[from + 20] as number);
      if (part === rows.train) rows.train.speaker.push(number);
    }
  }
  const array = (name: string, values: readonly number[], ...others: readonly number[]): NamedArray => {
    const size = others[0] ?? 1;
    return { name, shape: [values.length / size, ...others], values: Int32Array.from(values) };
  };
  const arrays = [
    array('x_train', rows.train.x, 20),
    array('y_train', rows.train.y),
    array('speaker', rows.train.speaker),
    array('x_test', rows.test.x, 20),
    array('y_test', rows.test.y),
  ];
  return { arrays, speakers };
}
