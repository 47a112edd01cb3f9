import { describe, expect, test } from "vitest";
import { ConfigError, databaseShape, origin, readConfig, serviceShape } from "./config.ts";

describe("readConfig", () => {
  test("what is not set gets its default, and an empty variable counts as not set", () => {
    expect(readConfig(serviceShape, { PORT: "", LOG_LEVEL: "debug" })).toEqual({
      PORT: 8080,
      VERSION: "v1",
      LOG_LEVEL: "debug",
      STOP_TIMEOUT_MS: 10_000,
    });
  });

  test("every wrong variable is named, and no value is shown", () => {
    const env = { PORT: "70000", DATABASE_URL: "mysql://u:hunter2@db/x" };
    const read = () => readConfig({ ...serviceShape, ...databaseShape }, env);
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(/PORT: [\s\S]*DATABASE_URL: [\s\S]*DATABASE_CA: /);
    expect(read).not.toThrow(/hunter2/);
  });

  test.each([
    { given: "http://video-service:8080", expected: "http://video-service:8080" },
    { given: "http://video-service:8080/", expected: "http://video-service:8080" },
    { given: "http://video-service/admin", expected: undefined },
    { given: "file:///etc/passwd", expected: undefined },
  ])("the origin $given is read as $expected", ({ given, expected }) => {
    expect(origin.safeParse(given).data).toBe(expected);
  });
});
