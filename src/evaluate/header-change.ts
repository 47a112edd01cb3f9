import type { HeaderValueOption } from "../gen/envoy/config/core/v3/base_pb.js";
import { HeaderValueOption_HeaderAppendAction as Append } from "../gen/envoy/config/core/v3/base_pb.js";
import type { HeaderLines } from "./http-message.ts";
import { lowerAscii } from "./string-match.ts";

export interface HeaderChange {
  readonly add: readonly HeaderValueOption[];
  readonly remove: readonly string[];
}

export interface Changed {
  readonly headers: HeaderLines;
  readonly generated: readonly string[];
}

/** Removes, then adds (Envoy's order within one change). What stands for a value of the proxy's own (`%...%`) is only known to be there. */
export function changeHeaders(given: Changed, { add, remove }: HeaderChange): Changed {
  const gone = new Set(remove.map(lowerAscii));
  let headers: HeaderLines = given.headers.filter(([name]) => !gone.has(name));
  let generated = given.generated.filter((name) => !gone.has(name));
  for (const { header, appendAction, append, keepEmptyValue } of add) {
    if (header === undefined) continue;
    const name = lowerAscii(header.key);
    const value = header.value.replaceAll("%%", "%");
    if (value === "" && !keepEmptyValue) continue;
    const there = headers.some(([key]) => key === name);
    if (/%[A-Z_]+(\(.*\))?(:\d+)?%/.test(header.value)) generated = [...generated, name];
    const action = append === false ? Append.OVERWRITE_IF_EXISTS_OR_ADD : appendAction;
    headers = put(headers, [name, value], action, there);
  }
  return { headers, generated };
}

function put(headers: HeaderLines, line: readonly [string, string], action: Append, there: boolean): HeaderLines {
  const others = headers.filter(([name]) => name !== line[0]);
  switch (action) {
    case Append.ADD_IF_ABSENT:
      return there ? headers : [...headers, line];
    case Append.OVERWRITE_IF_EXISTS:
      return there ? [...others, line] : headers;
    case Append.OVERWRITE_IF_EXISTS_OR_ADD:
      return [...others, line];
    default:
      return [...headers, line];
  }
}
