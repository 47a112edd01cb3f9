import { copyPlatform, type Platform } from "../e2e/harness/platform.ts";
import { type BenchRow, median } from "./row.ts";

const RUNS = 3;
const FIRST_ANSWER_S = 20;
const USERS = "https://user.example.com/api/v1/users";

/** From the start of `kumiko up`, in seconds: until it says that all runs, and until somebody who did not wait has got a first answer. */
export interface UpMeasurement {
  readonly ready: number;
  readonly firstAnswer: number;
}

/**
 * Starts the platform three times from nothing (keys, certificates and database are made) and each time once more on what is there. An answer
 * is a 200 through gateway, JWT, mTLS and database, with a token from the identity provider; all that has to be installed is.
 */
export async function measureUp(): Promise<{ readonly first: readonly UpMeasurement[]; readonly again: readonly UpMeasurement[] }> {
  const first: UpMeasurement[] = [];
  const again: UpMeasurement[] = [];
  for (let run = 0; run < RUNS; run++) {
    const platform = await copyPlatform({ withTestWorkloads: false });
    try {
      first.push(await measureOne(platform));
      again.push(await measureOne(platform));
    } finally {
      platform.remove();
    }
  }
  return { first, again };
}

async function measureOne(platform: Platform): Promise<UpMeasurement> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  try {
    await platform.start();
    const ready = seconds();
    const token = await platform.token("alice");
    await platform.api(USERS, { token, json: { displayName: "Alice" } });
    const { status, body } = await platform.api(`${USERS}/me`, { token });
    if (status !== 200) throw new Error(`the first answer is ${status}: ${body}`);
    return { ready, firstAnswer: seconds() };
  } finally {
    await platform.stop();
  }
}

export async function benchUp(): Promise<readonly BenchRow[]> {
  const { first, again } = await measureUp();
  const row = (what: string, values: readonly number[]): BenchRow => ({ what, value: median(values), unit: "s" });
  const answers = (runs: readonly UpMeasurement[]) => runs.map(({ firstAnswer }) => firstAnswer);
  const ready = (runs: readonly UpMeasurement[]) => runs.map((run) => run.ready);
  return [
    row("up, from nothing: all runs", ready(first)),
    { ...row("up, from nothing: first 200", answers(first)), atMost: FIRST_ANSWER_S },
    row("up, again: all runs", ready(again)),
    { ...row("up, again: first 200", answers(again)), atMost: FIRST_ANSWER_S },
  ];
}
