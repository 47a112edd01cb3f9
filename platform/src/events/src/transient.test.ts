import { expect, test } from "vitest";
import { isTransient } from "./transient.ts";

const withCode = (code: string, message = "m") => Object.assign(new Error(message), { code });

test.each([
  { title: "a connection that is refused", error: withCode("ECONNREFUSED"), expected: true },
  { title: "a database that shuts down", error: withCode("57P01"), expected: true },
  { title: "two transactions that met", error: withCode("40001"), expected: true },
  { title: "a connection that broke", error: new Error("Connection terminated unexpectedly"), expected: true },
  { title: "a pool without a free connection", error: new Error("timeout exceeded when trying to connect"), expected: true },
  { title: "a row that breaks a rule", error: withCode("23505", "connection is not unique"), expected: false },
  { title: "data of another shape", error: new TypeError("connection is undefined"), expected: false },
  { title: "what is no error", error: "timeout exceeded", expected: false },
])("$title: $expected", ({ error, expected }) => {
  expect(isTransient(error)).toBe(expected);
});
