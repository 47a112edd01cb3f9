import { Composer, CST, Lexer, Parser } from "yaml";
import { LIMITS } from "./limits.ts";
import { type Fault, isFault, type Plain, toPlain } from "./plain.ts";

/** The documents of a YAML 1.2 text (core schema; JSON is part of it) as plain data with places; empty documents are left out. */
export function parseText(text: string): readonly Plain[] | Fault {
  const tokens = readTokens(text);
  if (isFault(tokens)) return tokens;
  const budget = { nodes: 0 };
  const documents: Plain[] = [];
  const composer = new Composer({ version: "1.2", schema: "core", uniqueKeys: false, prettyErrors: false, logLevel: "silent" });
  for (const document of composer.compose(tokens, false, text.length)) {
    const [error] = [...document.errors, ...document.warnings];
    if (error !== undefined) return { code: "KMK0002", message: lowerFirst(error.message), offset: error.pos[0] };
    const plain = toPlain(document as Parameters<typeof toPlain>[0], budget);
    if (isFault(plain)) return plain;
    if (plain.value !== null) documents.push(plain);
    if (documents.length > LIMITS.documentsPerFile) {
      return {
        code: "KMK0003",
        message: `the file holds more than ${LIMITS.documentsPerFile} documents`,
        help: "split it",
        offset: plain.place.offset,
      };
    }
  }
  return documents;
}

/** The concrete syntax, which is made without recursion; what is too much or too deep is refused before the composer, which recurses. */
function readTokens(text: string): CST.Token[] | Fault {
  const parser = new Parser();
  const tokens: CST.Token[] = [];
  let count = 0;
  let length = 0;
  for (const lexeme of new Lexer().lex(text)) {
    length += lexeme.length;
    if (++count > LIMITS.tokensPerFile)
      return {
        code: "KMK0003",
        message: `the file has more than ${LIMITS.tokensPerFile} words and signs`,
        help: "split it",
        offset: Math.min(length, text.length),
      };
    for (const token of parser.next(lexeme)) tokens.push(token);
  }
  for (const token of parser.end()) tokens.push(token);
  return findTooDeep(tokens) ?? tokens;
}

function findTooDeep(tokens: readonly CST.Token[]): Fault | undefined {
  const open = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > LIMITS.depth + 1)
      return {
        code: "KMK0003",
        message: `the document is more than ${LIMITS.depth} levels deep`,
        help: "flatten it",
        offset: token.offset,
      };
    for (const child of childrenOf(token)) open.push({ token: child, depth: depth + 1 });
  }
  return undefined;
}

function childrenOf(token: CST.Token): readonly CST.Token[] {
  if (token.type === "document") return token.value === undefined ? [] : [token.value];
  if (!CST.isCollection(token)) return [];
  return token.items.flatMap((item) => [item.key, item.value].filter((child) => child !== undefined && child !== null));
}

function lowerFirst(text: string): string {
  return `${text.charAt(0).toLowerCase()}${text.slice(1)}`;
}
