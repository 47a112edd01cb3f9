import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { until } from "../testing/until.ts";
import { endChild, keepRunning, ListeningSocket } from "./keep-running.ts";

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

describe("waits between starts", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  /** How long the waits become where each start fails at once. */
  function waitsOf(starts: number, hadComeUp: (start: number) => boolean): readonly number[] {
    const waits: number[] = [];
    const kept = keepRunning({
      start() {
        const child = new EventEmitter() as ChildProcess;
        setTimeout(() => child.emit("exit", 1, null), 1);
        return child;
      },
      hadComeUp: () => hadComeUp(waits.length),
      onEnd: (_how, againInMs) => void waits.push(againInMs),
    });
    while (waits.length < starts) vi.advanceTimersToNextTimer();
    kept.retire();
    return waits;
  }

  test("of one that never comes up double to 10 s", () => {
    expect(waitsOf(8, () => false)).toEqual([200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
  });

  test("of one that had come up are short, however often it ended and how long they had become", () => {
    expect(waitsOf(6, () => true)).toEqual([200, 400, 800, 1600, 2000, 2000]);
    expect(waitsOf(8, (start) => start === 7).at(-1)).toBe(2000);
  });

  test("of one that ends in order, and takes its socket away as it does, are short, too", () => {
    const waits: number[] = [];
    let isListening = false;
    const kept = keepRunning({
      start() {
        const child = new EventEmitter() as ChildProcess;
        setTimeout(() => (isListening = true), 100);
        setTimeout(() => {
          isListening = false;
          child.emit("exit", 0, null);
        }, 2000);
        return child;
      },
      hadComeUp: () => isListening,
      onEnd: (_how, againInMs) => void waits.push(againInMs),
    });
    while (waits.length < 6) vi.advanceTimersToNextTimer();
    kept.retire();
    expect(waits).toEqual([200, 400, 800, 1600, 2000, 2000]);
  });
});

test("a socket that an earlier program left is not what this one listens on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kumiko-listening-"));
  const path = join(folder, "s");
  const socket = new ListeningSocket(path);
  const server = createServer().listen(path);
  try {
    await once(server, "listening");
    expect(socket.hasListened()).toBe(true);
    socket.begin();
    expect(socket.hasListened()).toBe(false);
    rmSync(path);
    expect(socket.hasListened()).toBe(false);
    const next = createServer().listen(path);
    await once(next, "listening");
    expect(socket.hasListened()).toBe(true);
    next.close();
  } finally {
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
