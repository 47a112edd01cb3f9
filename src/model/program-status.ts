/** How a program outside of the mesh is, which `kumiko up` starts and watches. */
export interface ProgramStatus {
  readonly name: string;
  /** It runs, and answers where kumiko.yaml says that it does. */
  readonly ready: boolean;
  readonly restarts: number;
  /** Why it isn't ready; empty while it is. */
  readonly message: string;
  /** What is weaker for something that it lacks, in its own words. */
  readonly weaker: readonly string[];
}
