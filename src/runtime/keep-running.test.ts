import { spawn } from "node:child_process";
import { expect, test } from "vitest";
import { until } from "../testing/until.ts";
import { endChild, keepRunning } from "./keep-running.ts";

test("a start that fails is tried again, and ends nobody else", async () => {
  const ends: string[] = [];
  let starts = 0;
  let restarts = 0;
  const kept = keepRunning({
    start() {
      starts += 1;
      if (starts === 2) throw new Error("no log can be opened");
      return spawn("sh", ["-c", starts === 1 ? "exit 3" : "exec sleep 60"], { stdio: "ignore" });
    },
    onEnd: (how) => void ends.push(how),
    onRestart: () => void (restarts += 1),
  });
  await until("it runs again", () => starts === 3 && kept.child()?.pid !== undefined);
  expect(ends).toEqual(["exit code 3", "no log can be opened"]);
  expect(restarts).toBe(1);
  await kept.stop((child) => endChild(child, 0));
});
