/** What shapes are made of: strokes, and the dice that vary them. */
import type { RandomStream } from '../../lib/core/random.js';

/** The ways in which a shape asks for chance. */
export interface Dice {
  /** Evenly spread over [low, high). */
  between(low: number, high: number): number;
  /** Bell-shaped around `mean`, never further away than two `spread`s. */
  around(mean: number, spread: number): number;
  /** True with `probability`. */
  happens(probability: number): boolean;
  /** One of `options`, each as likely as its weight says. */
  pick<T>(options: readonly (readonly [weight: number, option: T])[]): T;
}

/** The furthest that a bell-shaped roll strays, in spreads; beyond it digits stop being readable. */
const FURTHEST_SPREADS = 2;

/** Dice that roll numbers of `random`. */
export function createDice(random: RandomStream): Dice {
  return {
    between: (low, high) => low + (high - low) * random.uniform(),
    around: (mean, spread) =>
      mean + spread * Math.max(-FURTHEST_SPREADS, Math.min(FURTHEST_SPREADS, random.normal())),
    happens: (probability) => random.uniform() < probability,
    pick: (options) => {
      let left = random.uniform() * options.reduce((sum, [weight]) => sum + weight, 0);
      for (const [weight, option] of options) {
        left -= weight;
        if (left < 0) return option;
      }
      return (options.at(-1) as (typeof options)[number])[1];
    },
  };
}

/** A place that the pen passes; x to the right, y down; a digit is about 1 high, from y = 0 to y = 1. */
export interface Knot {
  readonly x: number;
  readonly y: number;
  /** The pen turns sharply here instead of in a curve. */
  readonly corner?: boolean;
}

/** What the pen draws between touching the paper and leaving it. */
export type Stroke = readonly Knot[];

/** A way of writing a digit: rolls the dice and gives the strokes. */
export type Shape = (dice: Dice) => readonly Stroke[];

/** A knot that the pen passes in a curve. */
export function knot(x: number, y: number): Knot {
  return { x, y };
}

/** A knot where the pen turns sharply. */
export function corner(x: number, y: number): Knot {
  return { x, y, corner: true };
}

/** An elliptic arc; angles in degrees: 0 points right, 90 down, 180 left, -90 up. */
interface Arc {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
  readonly from: number;
  /** Below `from` for an arc drawn against the clock. */
  readonly to: number;
  /** The size at the end of the arc where that at its start is 1: a spiral. */
  readonly drift?: number;
  /** Turns the whole arc, in degrees; positive turns with the clock. */
  readonly tilt?: number;
}

/** Between neighbouring knots of an arc, in degrees. */
const ARC_STEP = 45;

/** Knots along an arc around (`x`, `y`) that is `width` wide and `height` high, both ends included. */
export function arc({ x, y, width, height, from, to, drift = 1, tilt = 0 }: Arc): Knot[] {
  const [cos, sin] = [Math.cos(radians(tilt)), Math.sin(radians(tilt))];
  const steps = Math.max(2, Math.round(Math.abs(to - from) / ARC_STEP));
  return Array.from({ length: steps + 1 }, (_, step) => {
    const share = step / steps;
    const angle = radians(from + (to - from) * share);
    const size = 0.5 * (1 + (drift - 1) * share);
    const [dx, dy] = [width * size * Math.cos(angle), height * size * Math.sin(angle)];
    return knot(x + cos * dx - sin * dy, y + sin * dx + cos * dy);
  });
}

function radians(degrees: number): number {
  return (degrees * Math.PI) / 180;
}
