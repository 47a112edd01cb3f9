import { expect, test } from "vitest";
import { Lanes } from "./lanes.ts";

test("tasks of one key run one after the other, those of others beside them, and no more than fit", async () => {
  const lanes = new Lanes(2);
  const order: string[] = [];
  const gates = new Map<string, () => void>();
  const task = (name: string) => async () => {
    order.push(`${name} begins`);
    await new Promise<void>((resolve) => gates.set(name, resolve));
    order.push(`${name} ends`);
  };
  await lanes.run("a", task("a1"));
  await lanes.run("a", task("a2"));
  const third = lanes.run("b", task("b1"));
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual(["a1 begins"]);
  gates.get("a1")?.();
  await third;
  await new Promise((resolve) => setImmediate(resolve));
  expect(order).toEqual(["a1 begins", "a1 ends", "a2 begins", "b1 begins"]);
  gates.get("a2")?.();
  gates.get("b1")?.();
  await lanes.idle();
  expect(order.slice(-2).toSorted()).toEqual(["a2 ends", "b1 ends"]);
});
