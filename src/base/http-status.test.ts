import { expect, test } from "vitest";
import { StatusCode } from "../gen/envoy/type/v3/http_status_pb.js";
import { isKnownStatus } from "./http-status.ts";

test("the statuses that can be named are those of Envoy's API", () => {
  const all = Array.from({ length: 700 }, (_, i) => i);
  expect(all.filter(isKnownStatus)).toEqual(all.filter((status) => status > 0 && status in StatusCode));
});
