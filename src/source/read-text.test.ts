import { describe, expect, test } from "vitest";
import { LIMITS } from "./limits.ts";
import { readText } from "./read-text.ts";
import { fc } from "../testing/property.ts";

const values = (text: string) => readText(text, "a.yaml").documents.map(({ value }) => JSON.parse(JSON.stringify(value)) as unknown);
const complaints = (text: string) =>
  readText(text, "a.yaml").diagnostics.map(({ code, message, position }) => `${code} ${position?.line}:${position?.column} ${message}`);
const place = (text: string, ...path: (string | number)[]) => {
  const [document] = readText(text, "a.yaml").documents;
  const { line, column } = document?.locate(path) ?? {};
  return `${line}:${column}`;
};

describe("documents", () => {
  test.each([
    ["several in one file, empty ones left out", "a: 1\n---\n---\n# nothing\n---\nb: 2\n...\n", [{ a: 1 }, { b: 2 }]],
    ["with a byte order mark and Windows' line ends", "\ufeffa: 1\r\nb:\r\n  - x\r\n", [{ a: 1, b: ["x"] }]],
    [
      "of JSON with tabs and escapes",
      '{\n\t"a": [1, true, null],\n\t"b": "\\u00e9\\ud83d\\ude00\\/"\n}\n',
      [{ a: [1, true, null], b: "é😀/" }],
    ],
    ["by YAML 1.2: yes, no and on are texts", "a: yes\nb: no\nc: on\nd: 1_000\n", [{ a: "yes", b: "no", c: "on", d: "1_000" }]],
    ["keys that are numbers are texts", "8080: a\ntrue: b\n", [{ 8080: "a", true: "b" }]],
    ["aliases are followed", "a: &x {p: 1}\nb: *x\n", [{ a: { p: 1 }, b: { p: 1 } }]],
    ["merge keys add what isn't there", "a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3\n", [{ a: { p: 1, q: 2 }, b: { p: 1, q: 3 } }]],
    ["a list is what it lists", "kind: List\nitems:\n  - kind: A\n  - kind: B\n", [{ kind: "A" }, { kind: "B" }]],
  ])("%s", (_, text, expected) => {
    expect(complaints(text)).toEqual([]);
    expect(values(text)).toEqual(expected);
  });
});

describe("a Helm template", () => {
  test.each([
    "kind: A\nmetadata:\n  name: {{ .Values.name }}\n",
    "{{- if .Values.on }}\nkind: A\n{{- end }}\n",
    'kind: A\nlabels:\n  {{- include "c.labels" . | nindent 4 }}\n',
  ])("is told as one, once, at its first action (row %#)", (text) => {
    const { documents, diagnostics } = readText(text, "my charts/web/templates/a.yaml");
    expect(documents).toEqual([]);
    expect(diagnostics).toMatchObject([
      {
        code: "KMK0002",
        message: "a Helm template, which is no YAML before it is rendered",
        help: "read what it makes: helm template 'my charts/web' > FILE.yaml",
        position: { line: text.slice(0, text.indexOf("{{")).split("\n").length },
      },
    ]);
  });

  test("is not what is broken otherwise, or holds a template in a text", () => {
    expect(complaints("a: {{b: 1}: 2}\nc: [")).not.toContain("Helm");
    expect(complaints('kind: A\ndata:\n  t: "{{ .Values.name }}"\n')).toEqual([]);
  });
});

describe("places", () => {
  const text = "# head\nspec:\n  http:\n    - name: a\n      match: [{uri: x}, {uri: y}]\n    - name: b\n";
  test.each([
    ["a map's entry stands at its key", ["spec", "http"], "3:3"],
    ["an item stands at its first key", ["spec", "http", 1], "6:7"],
    ["a field of an item", ["spec", "http", 1, "name"], "6:7"],
    ["within a flow list", ["spec", "http", 0, "match", 1, "uri"], "5:26"],
    ["what isn't there is at its nearest parent", ["spec", "http", 1, "route", 0, "weight"], "6:7"],
    ["an index into a map is at the map", ["spec", 4], "2:1"],
  ])("%s", (_, path, expected) => {
    expect(place(text, ...path)).toBe(expected);
  });

  test("in the second document of a file with Windows' line ends", () => {
    const [, second] = readText("a: 1\r\n---\r\nb:\r\n  c: 2\r\n", "a.yaml").documents;
    expect(second?.locate(["b", "c"])).toEqual({ file: "a.yaml", line: 4, column: 3 });
  });

  test("in a list's item", () => {
    const [, second] = readText("kind: PodList\nitems:\n- kind: A\n- kind: B\n  spec: {a: 1}\n", "a.yaml").documents;
    expect(second?.locate(["spec", "a"])).toEqual({ file: "a.yaml", line: 5, column: 10 });
  });
});

describe("MeshConfig in its ConfigMap", () => {
  const head =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: istio\n  namespace: istio-system\n  annotations: {kumiko.dev/profile: istio}\ndata:\n";
  const mesh = (text: string) => readText(head + text, "a.yaml").documents[1];

  test("becomes a document beside it, with the ConfigMap's metadata", () => {
    const found = mesh("  mesh: |-\n    trustDomain: example.org\n");
    expect(found?.value).toMatchObject({
      kind: "MeshConfig",
      trustDomain: "example.org",
      metadata: { name: "istio", annotations: { "kumiko.dev/profile": "istio" } },
    });
  });

  test("its nodes stand on their own lines of the outer file", () => {
    const found = mesh("  mesh: |\n\n    # comment\n    outboundTrafficPolicy:\n      mode: ALLOW_ANY\n  other: x\n");
    expect(found?.locate(["outboundTrafficPolicy", "mode"])).toEqual({ file: "a.yaml", line: 12, column: 7 });
    expect(found?.locate(["metadata", "name"])).toMatchObject({ line: 4 });
  });

  test("in quotes, the value's own place answers for all nodes", () => {
    expect(mesh('  mesh: "trustDomain: x\\nrootNamespace: y"\n')?.locate(["rootNamespace"])).toMatchObject({ line: 8, column: 9 });
  });

  test("a fault in it is reported on its line", () => {
    expect(complaints(`${head}  mesh: |\n    a: 1\n    a: 2\n`)).toEqual(['KMK0003 10:5 key "a" occurs twice']);
  });

  test("another ConfigMap is only itself", () => {
    expect(readText(head.replace("name: istio", "name: other") + "  mesh: |\n    a: 1\n", "a.yaml").documents).toHaveLength(1);
  });
});

describe("what can't be read is one diagnostic with a line", () => {
  const bomb = `a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(10)}]\n`).join("")}`;
  test.each([
    ["a flow list that doesn't end", "a: [1, 2\n", "KMK0002 2:1"],
    ["a tab as indentation", "a:\n\tb: 1\n", "KMK0002 2:1"],
    ["a key that occurs twice", "spec:\n  host: a\n  host: b\n", 'KMK0003 3:3 key "host" occurs twice'],
    ["a key of JSON that occurs twice", '{"a": 1,\n "a": 2}', 'KMK0003 2:2 key "a" occurs twice'],
    ["a key that is no text", "? [a]\n: b\n", "KMK0002 1:1"],
    ["an alias without an anchor", "a: *x\n", "KMK0002 1:4"],
    ["an alias within itself", "a: &x\n  b: *x\n", "KMK0003 2:6 the alias stands within"],
    ["aliases of aliases of aliases", bomb, `KMK0003 6:18 the file stands for more than ${LIMITS.nodesPerFile} values`],
    ["infinity", "a: .inf\n", "KMK0002 1:4"],
    ["a tag that asks for code", "a: !!js/function 'x'\n", "KMK0002 1:4"],
    ["65 levels of lists", `${"[".repeat(66)}${"]".repeat(66)}`, "KMK0003 1:66 the document is more than 64 levels deep"],
    ["100,000 levels of lists", "[".repeat(100_000), "KMK0003 1:66"],
    ["100,000 levels of maps", "{a: ".repeat(100_000), "KMK0003 1:"],
    ["100,000 levels of dashes", "- ".repeat(100_000), "KMK0003 1:"],
    ["100,000 question marks", "? ".repeat(100_000), "KMK0003 1:"],
    ["four million brackets", "[".repeat(4_000_000), "KMK0003 1:"],
    ["too many documents", "---\na\n".repeat(10_001), "KMK0003 20002:1 the file holds more than 10000 documents"],
  ])("%s", (_, text, expected) => {
    const { documents, diagnostics } = readText(text, "a.yaml");
    const said = diagnostics.map(({ code, message, position }) => `${code} ${position?.line}:${position?.column} ${message}`);
    expect([documents, said.map((line) => line.slice(0, expected.length))]).toEqual([[], [expected]]);
  });

  test("a deep file just within the limit is read", () => {
    expect(complaints(`${"[".repeat(64)}1${"]".repeat(64)}`)).toEqual([]);
  });
});

test("a key that names the prototype changes no prototype", () => {
  const [document] = readText("__proto__:\n  polluted: true\n", "a.yaml").documents;
  expect(Object.getPrototypeOf(document?.value)).toBeNull();
  expect(Object.keys(document?.value as object)).toEqual(["__proto__"]);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test("no text makes it throw: it gives documents, or says why not", () => {
  const sign = fc.constantFrom(
    "a",
    "b: ",
    "- ",
    "? ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "\n",
    "\n  ",
    "\n    ",
    "&x ",
    "*x",
    "<<: ",
    "|",
    ">",
    "|2-\n",
    '"',
    "'",
    "#",
    " #",
    "!!str ",
    "!x ",
    "%YAML 1.2\n",
    "---\n",
    "...\n",
    "\t",
    "\r\n",
    "\u0000",
    "\ud800",
    "0x1F",
    "~",
    "kind: List\nitems:\n",
    "\\u12",
  );
  const hostile = fc.oneof(
    fc.array(sign, { maxLength: 40 }).map((signs) => signs.join("")),
    fc.string({ unit: "binary" }),
  );
  const judge = () =>
    fc.assert(
      fc.property(hostile, (text) => {
        const { documents, diagnostics } = readText(text, "a.yaml");
        documents.forEach(({ locate }) => locate(["a", 0, "b"]));
        return diagnostics.length === 0 || documents.length === 0;
      }),
      { numRuns: 3000 },
    );
  expect(judge).not.toThrow();
});
