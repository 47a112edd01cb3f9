import { expect, test } from "vitest";
import { untilAborted } from "./pause.ts";
import { Subscriptions } from "./subscriptions.ts";

test("a subscription is ready when its work says so", async () => {
  const begun = Promise.withResolvers<() => void>();
  const subscription = new Subscriptions().start(async (_, isReady) => begun.resolve(isReady));
  const steps: string[] = [];
  const ready = subscription.ready.then(() => steps.push("ready"));
  const isReady = await begun.promise;
  steps.push("said");
  isReady();
  await ready;
  expect(steps).toEqual(["said", "ready"]);
});

test("to stop one is to wait for the end of its work, and leaves the others", async () => {
  const subscriptions = new Subscriptions();
  const log: string[] = [];
  const start = (name: string) =>
    subscriptions.start(async (stopping) => {
      await untilAborted(stopping);
      await Promise.resolve();
      log.push(name);
    });
  const [first, second] = [start("first"), start("second")];
  await first.stop();
  expect(log).toEqual(["first"]);
  await subscriptions.stop();
  expect(log).toEqual(["first", "second"]);
  await Promise.all([first.stop(), second.stop(), subscriptions.stop()]);
  expect(log).toEqual(["first", "second"]);
});
