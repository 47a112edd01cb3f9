import { expect, test } from "vitest";
import type { WaitedFor } from "../runtime/index.ts";
import { WaitTeller } from "./wait-teller.ts";

const waited = (over: Partial<WaitedFor> = {}): WaitedFor => ({
  namespace: "shop",
  name: "web-1",
  waitsFor: "connections",
  open: 2,
  atMostMs: 4800,
  ...over,
});

test("what is waited for is said once, with how to wait no longer, and again when it is something else", () => {
  const said: string[] = [];
  const teller = new WaitTeller((line) => said.push(line));
  teller.see([]);
  teller.see([waited()]);
  teller.see([waited({ open: 1, atMostMs: 3800 })]);
  teller.see([waited({ waitsFor: "application", open: 0, atMostMs: 29_100 }), waited({ name: "api-1", waitsFor: "application", open: 1 })]);
  expect(said).toEqual([
    "Ctrl-C again ends it at once",
    "waits for shop/web-1: 2 open connections and requests (5 s at most)",
    "waits for shop/web-1: its application to end (30 s at most)",
    "waits for shop/api-1: its application to end, with 1 open connection or request (5 s at most)",
  ]);
});
