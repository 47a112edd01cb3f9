import { expect, test } from "vitest";
import type { FuzzCase } from "./document.ts";
import { shrink } from "./shrink.ts";

const found: FuzzCase = {
  profile: "istio",
  documents: [
    { apiVersion: "v1", kind: "Service", metadata: { namespace: "shop", name: "users" }, spec: { ports: [{ port: 80 }, { port: 81 }] } },
    {
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { namespace: "shop", name: "users" },
      spec: { hosts: ["users", "orders"], http: [{ match: [{ uri: { exact: "/a" }, method: { exact: "GET" } }] }, { timeout: "1s" }] },
    },
  ],
  calls: [
    { from: { workload: "client" }, request: { url: "http://users/", headers: { "x-user": "a", "x-version": "v1" }, method: "PUT" } },
  ],
};

test("only what is needed to show it stays", async () => {
  const shows = ({ documents, calls }: FuzzCase) => {
    const text = JSON.stringify([documents, calls]);
    return Promise.resolve(text.includes('"exact":"/a"') && text.includes("x-user"));
  };
  const smallest = await shrink(found, shows, performance.now() + 60_000);
  expect(smallest.documents.map(({ spec }) => spec)).toEqual([{ http: [{ match: [{ uri: { exact: "/a" } }] }] }]);
  expect(smallest.calls).toEqual([{ from: { workload: "client" }, request: { url: "http://users/", headers: { "x-user": "a" } } }]);
});

test("without time nothing is tried", async () => {
  expect(await shrink(found, () => Promise.reject(new Error("tried")), performance.now())).toBe(found);
});
