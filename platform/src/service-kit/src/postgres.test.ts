import { describe, expect, test } from "vitest";
import { connectionOf } from "./postgres.ts";

describe("connectionOf", () => {
  test("takes a URL apart, and decodes the password", () => {
    expect(connectionOf("postgres://u:p%40ss@db.example.com/videos", "PEM")).toMatchObject({
      host: "db.example.com",
      port: 5432,
      user: "u",
      password: "p@ss",
      database: "videos",
    });
  });

  test("a URL can't turn the check of the certificate off", () => {
    expect(connectionOf("postgres://u:p@db/x?sslmode=disable", "PEM").ssl).toEqual({
      ca: "PEM",
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
    });
  });
});
