import fc, { type Arbitrary, type GeneratorValue } from "fast-check";

/** Chance, as fast-check deals it: the same seed gives the same draws. */
export interface Draw {
  /** Every value is as likely as any other. */
  one<T>(values: readonly T[]): T;
  /** @param percent how often it is true */
  chance(percent: number): boolean;
  /** Both ends may come. */
  whole(least: number, most: number): number;
  /** Different ones, in the order given. */
  some<T>(values: readonly T[], least: number, most: number): readonly T[];
  /** One of the ways, each as often as its weight says. */
  weighted<T>(ways: readonly (readonly [weight: number, way: () => T])[]): T;
  /** As many as are drawn. */
  many<T>(least: number, most: number, make: (i: number) => T): readonly T[];
  /** What is made, or nothing: to be spread into an object. */
  maybe<T extends object>(percent: number, make: () => T): T | Record<string, never>;
}

/** Values made by drawing. */
export function drawn<T>(make: (draw: Draw) => T): Arbitrary<T> {
  return fc.gen().map((next) => make(drawFrom(next)));
}

const upTo = (max: number) => fc.noBias(fc.nat({ max }));

function drawFrom(next: GeneratorValue): Draw {
  const whole = (least: number, most: number) => least + next(upTo, most - least);
  const chance = (percent: number) => next(upTo, 999) < percent * 10;
  const one = <T>(values: readonly T[]): T => values[whole(0, values.length - 1)] as T;
  const many = <T>(least: number, most: number, make: (i: number) => T) => Array.from({ length: whole(least, most) }, (_, i) => make(i));
  return {
    one,
    chance,
    whole,
    many,
    some(values, least, most) {
      const left = values.map((_, i) => i);
      const count = Math.min(whole(least, most), left.length);
      const chosen = Array.from({ length: count }, () => left.splice(whole(0, left.length - 1), 1)[0] as number);
      return chosen.toSorted((a, b) => a - b).map((i) => values[i] as (typeof values)[number]);
    },
    weighted(ways) {
      let at = whole(
        1,
        ways.reduce((sum, [weight]) => sum + weight, 0),
      );
      for (const [weight, way] of ways) if ((at -= weight) <= 0) return way();
      throw new Error("no way has a weight");
    },
    maybe: (percent, make) => (chance(percent) ? make() : {}),
  };
}
