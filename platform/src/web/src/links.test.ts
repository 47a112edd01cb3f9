import { describe, expect, test } from "vitest";
import { splitLinks } from "./page/links.ts";

const link = (text: string, href = text) => ({ href, text });

describe("links in what people write", () => {
  test.each([
    { text: "no link", pieces: ["no link"] },
    { text: "", pieces: [] },
    { text: "https://a.example/b?c=d#e", pieces: [link("https://a.example/b?c=d#e")] },
    { text: "see http://a.example, or not", pieces: ["see ", link("http://a.example", "http://a.example/"), ", or not"] },
    { text: "(https://a.example/x).", pieces: ["(", link("https://a.example/x"), ")."] },
    { text: "https://a.example/wiki/Joint_(wood)!", pieces: [link("https://a.example/wiki/Joint_(wood)"), "!"] },
    { text: "こちらhttps://a.example/wです。", pieces: ["こちら", link("https://a.example/w"), "です。"] },
    { text: "https://a.example/1 https://b.example/2", pieces: [link("https://a.example/1"), " ", link("https://b.example/2")] },
    { text: "HTTPS://A.example/", pieces: [link("HTTPS://A.example/", "https://a.example/")] },
  ])("$text", ({ text, pieces }) => {
    expect(splitLinks(text)).toEqual(pieces);
  });

  test.each([
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x ftp://a.example/ file:///etc/passwd",
    "xhttps://a.example",
    "https://",
    "https://bank.example@evil.example/",
    "https://user:secret@evil.example/",
    "http://[:::1]/",
  ])("%s is no link", (text) => {
    expect(splitLinks(text)).toEqual([text]);
  });

  test.each(['https://a.example/"onclick="alert(1)', "https://a.example/<img src=x>", "https://a.example/'><b>"])(
    "of %s only an address is followed, and no character is lost",
    (text) => {
      const pieces = splitLinks(text);
      expect(pieces.map((piece) => (typeof piece === "string" ? piece : piece.text)).join("")).toBe(text);
      for (const piece of pieces) if (typeof piece !== "string") expect(piece.href).toMatch(/^https:\/\/a\.example\/[^"<>]*$/);
    },
  );
});
