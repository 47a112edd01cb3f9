import { describe, expect, test } from "vitest";
import { diagnostic } from "../model/diagnostic.ts";
import { MeshError } from "../model/error.ts";
import { painter, renderAge, renderDiagnostic, renderDuration, renderError, renderPlace, renderTable } from "./render.ts";

const plain = painter({ isTerminal: false }, { noColour: false });
const coloured = painter({ isTerminal: true }, { noColour: false });

describe("colour", () => {
  test.each([
    { title: "a terminal", isTerminal: true, noColour: false, expected: "\u001b[31mx\u001b[39m" },
    { title: "a terminal whose user set NO_COLOR", isTerminal: true, noColour: true, expected: "x" },
    { title: "a pipe", isTerminal: false, noColour: false, expected: "x" },
  ])("for $title", ({ isTerminal, noColour, expected }) => {
    expect(painter({ isTerminal }, { noColour })("x", "red")).toBe(expected);
  });
});

describe("renderTable", () => {
  test("lines columns up, three spaces apart, without blanks at the end", () => {
    expect(
      renderTable(
        ["NAME", "READY", "NOTE"],
        [
          ["users-1", "yes", ""],
          ["v", { text: "no", style: "red" }, "late"],
        ],
        plain,
      ),
    ).toBe(["NAME      READY   NOTE", "users-1   yes", "v         no      late", ""].join("\n"));
  });

  test("colour does not count for the width", () => {
    const [, first, second] = renderTable(
      ["A", "B"],
      [
        [{ text: "x", style: "red" }, "1"],
        ["yy", "2"],
      ],
      coloured,
    ).split("\n");
    expect(first).toBe("\u001b[31mx\u001b[39m    1");
    expect(second).toBe("yy   2");
  });

  test("shows control characters instead of obeying them", () => {
    expect(renderTable(["A"], [["x\u001b[2Jy\n"]], plain)).toBe("A\nx\\x1b[2Jy\\x0a\n");
  });
});

describe("ages", () => {
  const s = 1000;
  const m = 60 * s;
  const h = 60 * m;
  const d = 24 * h;
  test.each([
    [0, "0s"],
    [-5 * s, "0s"],
    [119 * s, "119s"],
    [2 * m, "2m"],
    [3 * m + 10 * s, "3m10s"],
    [45 * m, "45m"],
    [5 * h + 12 * m, "5h12m"],
    [30 * h, "30h"],
    [3 * d + 4 * h, "3d4h"],
    [400 * d, "400d"],
  ])("%i ms is %s", (milliseconds, expected) => {
    expect(renderDuration(milliseconds)).toBe(expected);
  });

  test("an unknown time says so", () => {
    expect(renderAge(undefined, 0)).toBe("<unknown>");
    expect(renderAge("yesterday", 0)).toBe("<unknown>");
  });
});

describe("renderError", () => {
  test("says what, why, and what to type next", () => {
    const error = new MeshError("network", "no mesh is running", { help: "kumiko up", cause: new Error("connect ENOENT") });
    expect(renderError(error, plain)).toBe("error: no mesh is running\n  cause: connect ENOENT\n  next: kumiko up\n");
  });

  test("shows the stack of a fault of ours, not that of the machine's", () => {
    expect(renderError(new TypeError("x is undefined"), plain)).toContain("render.test.ts");
    expect(renderError(new MeshError("io", "disk full", { cause: new Error("ENOSPC") }), plain)).not.toContain("render.test.ts");
  });
});

test("a diagnostic begins with the place that editors make a link of", () => {
  const found = diagnostic("KMK2004", {
    message: 'subset "v9" does not exist',
    help: "declare it in the DestinationRule",
    resource: { kind: "VirtualService", namespace: "shop", name: "reviews" },
    position: { file: "routes.yaml", line: 12, column: 7 },
  });
  expect(renderDiagnostic(found, plain)).toBe(
    'routes.yaml:12:7: error KMK2004 VirtualService/shop/reviews: subset "v9" does not exist\n  help: declare it in the DestinationRule\n',
  );
});

test.each([
  { place: "/home/u/shop/a.yaml:3", cwd: "/home/u/shop", expected: "a.yaml:3" },
  { place: "/home/u/shopping/a.yaml:3", cwd: "/home/u/shop", expected: "/home/u/shopping/a.yaml:3" },
  { place: "store:Pod/a:1", cwd: "/", expected: "store:Pod/a:1" },
])("$place seen from $cwd is $expected", ({ place, cwd, expected }) => {
  expect(renderPlace(place, cwd)).toBe(expected);
});

test("an error shows control characters of what it quotes, and keeps its lines", () => {
  const error = new MeshError("io", "a\u001b[2J.yaml:\n  b\u202e", { help: "cat 'a\u0007'", cause: new Error("c\u009b") });
  expect(renderError(error, (text) => text)).toBe("error: a\\x1b[2J.yaml:\n  b\\u202e\n  cause: c\\x9b\n  next: cat 'a\\x07'\n");
});
