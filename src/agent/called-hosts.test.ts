import { expect, test } from "vitest";
import { parseCalledHosts } from "./called-hosts.ts";

test("a host that was called is named once, whatever port and subset it was called by; one that wasn't isn't", () => {
  const page = [
    "cluster.outbound|80||users.shop.svc.cluster.local.upstream_rq_total: 3",
    "cluster.outbound|8080|v1|users.shop.svc.cluster.local.upstream_rq_total: 1",
    "cluster.outbound|80||idle.shop.svc.cluster.local.upstream_rq_total: 0",
    "cluster.inbound|8080||.upstream_rq_total: 9",
    "",
  ].join("\n");
  expect(parseCalledHosts(page)).toEqual(["users.shop.svc.cluster.local"]);
});
