import { describe, expect, test } from "vitest";
import { isDatabaseAway } from "./database-away.ts";
import { openPool } from "./postgres.ts";
import { toProblem } from "./problem.ts";

const coded = (code: string) => Object.assign(new Error("x"), { code });

describe("a database that is away", () => {
  test.each([
    { title: "nobody listens", error: coded("ECONNREFUSED"), away: true },
    { title: "an administrator ended the session", error: coded("57P01"), away: true },
    { title: "it starts", error: coded("57P03"), away: true },
    { title: "a statement took too long", error: coded("57014"), away: true },
    { title: "too many connections", error: coded("53300"), away: true },
    { title: "node-postgres' own words", error: new Error("Connection terminated unexpectedly"), away: true },
    { title: "a constraint", error: coded("23505"), away: false },
    { title: "a mistake in a statement", error: coded("42601"), away: false },
    { title: "another error", error: new TypeError("x is undefined"), away: false },
  ])("$title: $away", ({ error, away }) => {
    expect(isDatabaseAway(error)).toBe(away);
    expect(toProblem(error).status).toBe(away ? 503 : 500);
  });

  test("is what a real pool says where nobody listens", async () => {
    const ca = (await import("node:tls")).rootCertificates[0] ?? "";
    const onIdleError = () => undefined;
    const pool = openPool({ url: "postgres://u:p@127.0.0.1:1/x", ca, poolSize: 1, applicationName: "test", onIdleError });
    const failure: unknown = await pool.query("SELECT 1").catch((error: unknown) => error);
    await pool.end();
    expect(isDatabaseAway(failure)).toBe(true);
  });
});
