/** How a person follows the start. */
export interface Progress {
  /** Runs one step and says how it went and how long it took; `describe` tells what came of it. */
  step<T>(name: string, work: () => Promise<T>, describe?: (result: T) => string): Promise<T>;
  say(line: string): void;
  /** What was started is stopped from here on. */
  stopping(): void;
  stopped(): void;
  warn(line: string): void;
  /** What was warned of is gone. */
  mended(line: string): void;
}
