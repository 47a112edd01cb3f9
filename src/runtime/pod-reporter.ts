import { pause } from "./pause.ts";
import type { PodDocument } from "./pod.ts";
import type { PodRef, PodReports } from "./pod-surroundings.ts";

const RETRY_MS = 500;
const REMOVE_ATTEMPTS = 3;

/** Keeps the control plane's list of pods right for one pod. */
export class PodReporter {
  readonly #reports: PodReports;
  readonly #read: () => PodDocument;
  readonly #signal: AbortSignal;
  #reported = "";
  #reporting: Promise<void> = Promise.resolve();
  #isRepeating = false;

  /** Failed reports are repeated until the signal. */
  constructor(reports: PodReports, read: () => PodDocument, signal: AbortSignal) {
    this.#reports = reports;
    this.#read = read;
    this.#signal = signal;
  }

  /** Sends the newest state, one report after another; a state that changed meanwhile replaces the one that waits. */
  report(): Promise<void> {
    this.#reporting = this.#reporting.then(async () => {
      const document = this.#read();
      const text = JSON.stringify(document);
      if (text === this.#reported) return;
      try {
        await this.#reports.reportPod(document);
        this.#reported = text;
      } catch {
        void this.#repeat();
      }
    });
    return this.#reporting;
  }

  /** Sends the state again although it is the same: the control plane may have forgotten it. */
  repeat(): void {
    this.#reported = "";
    void this.report();
  }

  /** A pod that stays listed would stay an endpoint that is not ready: worth a few attempts, but not the end of the program. */
  async remove(ref: PodRef): Promise<void> {
    for (let attempt = 0; attempt < REMOVE_ATTEMPTS; attempt++) {
      const removed = this.#reports.removePod(ref).then(
        () => true,
        () => false,
      );
      if (await removed) return;
      await pause(RETRY_MS);
    }
  }

  /** One repetition is enough, whatever else fails until then: it sends the newest state. */
  async #repeat(): Promise<void> {
    if (this.#isRepeating) return;
    this.#isRepeating = true;
    await pause(RETRY_MS, this.#signal);
    this.#isRepeating = false;
    if (!this.#signal.aborted) void this.report();
  }
}
