/** Says that something on the way is beyond this evaluator. Thrown inside, caught at the next branch; callers see the outcome `undecided`. */
export class Undecidable extends Error {
  readonly at: string;

  constructor(at: string) {
    super(`can't be decided at ${at}`);
    this.name = "Undecidable";
    this.at = at;
  }
}
