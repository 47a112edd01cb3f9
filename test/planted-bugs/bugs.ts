/** A mistake that the evaluator could have: one small change of one of its files. */
export interface PlantedBug {
  readonly name: string;
  /** Stands exactly once in `src/evaluate/`. */
  readonly from: string;
  readonly to: string;
}

/**
 * Each must be told from the evaluator as it is by one of the recorded requests. Where the evaluator's text changes, the bug in it is written anew
 * here: the test says which.
 */
export const BUGS: readonly PlantedBug[] = [
  bug(
    "a prefix takes whole path segments only",
    "return fold(path).startsWith(fold(wanted.value)) ? undefined : `path does not begin",
    "return `${fold(path)}/`.startsWith(`${fold(wanted.value).replace(/\\/$/, '')}/`) ? undefined : `path does not begin",
  ),
  bug(
    "an exact path folds case",
    "return fold(path) === fold(wanted.value) ? undefined",
    "return lowerAscii(path) === lowerAscii(wanted.value) ? undefined",
  ),
  bug(
    "an exact path is compared with its query",
    'const path = splitQuery(raw)[0].split("#")[0] ?? "";',
    'const path = raw.split("#")[0] ?? "";',
  ),
  bug(
    "the last route that matches wins",
    "for (const [i, route] of host.routes.entries()) {",
    "for (const [i, route] of [...host.routes.entries()].reverse()) {",
  ),
  bug("a matcher's text folds case", "(ignoreCase ? lowerAscii(value) : value)", "lowerAscii(value)"),
  bug("a matcher's ignore_case is forgotten", "(ignoreCase ? lowerAscii(value) : value)", "value"),
  bug("an expression may match a part", "return patternOf(regex).matches(text);", "return patternOf(regex).matcher(text).find();"),
  bug("a suffix is looked for anywhere", "fold(text).endsWith(fold(matchPattern.value))", "fold(text).includes(fold(matchPattern.value))"),
  bug(
    "an inverted header condition is read as a plain one",
    ".some((value) => matchesValue(asked, value)) !== matcher.invertMatch",
    ".some((value) => matchesValue(asked, value))",
  ),
  bug(
    "several lines of a header are joined before they are matched",
    'return (isThere ? values : [""]).some',
    'return (isThere ? [values.join(",")] : [""]).some',
  ),
  bug(
    "an absent header never meets an inverted condition",
    "if (!isThere && !matcher.treatMissingHeaderAsEmpty) return false;",
    "if (!isThere) return false;",
  ),
  bug(
    "a token is looked for in the first line of its header only",
    "return valuesOf(message, lowerAscii(name)).flatMap(",
    "return valuesOf(message, lowerAscii(name)).slice(0, 1).flatMap(",
  ),
  bug(
    "what is refused before it is routed has its route's headers",
    'if (proto === "") return { routing',
    'if (proto === "?") return { routing',
  ),
  bug(
    "the first token that stands in a request is verified first",
    "map((text) => ({ text, issuers }))).toReversed()",
    "map((text) => ({ text, issuers })))",
  ),
  bug("the last of two query parameters counts", "if (!found.has(name)) found.set(name, value);", "found.set(name, value);"),
  bug("a host's port is compared", "routes.ignorePortInHostMatching ? withoutPort(authority) : authority", "authority"),
  bug("a host's case is compared", "const name = lowerAscii(routes", "const name = String(routes"),
  bug(
    "the shortest wildcard host wins",
    "([a]: [string, number], [b]: [string, number]) => b.length - a.length",
    "([a]: [string, number], [b]: [string, number]) => a.length - b.length",
  ),
  bug("a wildcard host takes its own domain too", "name.length > suffix.length && name.endsWith(suffix)", "`.${name}`.endsWith(suffix)"),
  bug("paths are not normalised", "if (manager.normalizePath === true) {", "if (manager.normalizePath === undefined) {"),
  bug("slashes are not merged", "if (manager.mergeSlashes) path = mergeSlashes(path);", ""),
  bug("escaped slashes stay", "    path = unescaped;\n", ""),
  bug("an escape in small letters is decoded only in capitals", "part.replaceAll(/%2e/gi", "part.replaceAll(/%2E/g"),
  bug("a final dot of the host stays", 'stripTrailingHostDot && name.endsWith(".")', 'stripTrailingHostDot && name.endsWith("..")'),
  bug(
    "a client's internal headers are believed",
    ": withoutHeaders(message, [...INTERNAL_HEADERS, ...(edge ? EDGE_HEADERS : [])]);",
    ": message;",
  ),
  bug("a not field of a policy is read without the not", "return !permits(rule.value, facts);", "return permits(rule.value, facts);"),
  bug("a not principal is read without the not", "return !isPrincipal(id.value, facts);", "return isPrincipal(id.value, facts);"),
  bug(
    "one of a policy's conditions is enough",
    "return rule.value.rules.every((inner) => permits(inner, facts));",
    "return rule.value.rules.some((inner) => permits(inner, facts));",
  ),
  bug(
    "a policy needs all of the paths that it lists",
    "return rule.value.rules.some((inner) => permits(inner, facts));",
    "return rule.value.rules.every((inner) => permits(inner, facts));",
  ),
  bug(
    "one of a caller's conditions is enough",
    "return id.value.ids.every((inner) => isPrincipal(inner, facts));",
    "return id.value.ids.some((inner) => isPrincipal(inner, facts));",
  ),
  bug(
    "who calls doesn't matter",
    "permissions.some((permission) => permits(permission, facts)) && principals.some((principal) => isPrincipal(principal, facts))",
    "permissions.some((permission) => permits(permission, facts)) && principals.length > 0",
  ),
  bug("DENY policies are left out", "return { allowed: policy === undefined, ...found };", "return { allowed: true, ...found };"),
  bug(
    "what no ALLOW policy allows is allowed",
    "return { allowed: policy !== undefined, ...found };",
    "return { allowed: true, ...found };",
  ),
  bug("policies compare the path with its query", 'splitQuery(message.path)[0].split("#")[0] ?? ""', "message.path"),
  bug(
    "any caller with a certificate is the one asked for",
    "name === undefined ? tls.trusted : matchesString(name, tls.peer)",
    "tls.trusted",
  ),
  bug(
    "a claim that is a list is never as asked",
    "return Array.isArray(value) && value.some(",
    "return Array.isArray(value) && value.length < 0 && value.some(",
  ),
  bug("expired tokens are good", 'payload["exp"] !== 0 && nowS > payload["exp"] + skew', 'payload["exp"] < 0'),
  bug("a token expires on the second", 'nowS > payload["exp"] + skew', 'nowS > payload["exp"]'),
  bug("tokens of tomorrow are good", 'payload["nbf"] > nowS + skew', 'payload["nbf"] < 0'),
  bug("any audience will do", 'if (!isForAudience(payload["aud"], provider.audiences)) return "audience";', ""),
  bug(
    "an audience is compared with its scheme",
    'audience.replace(/^https?:\\/\\//, "").replace(/\\/$/, "")',
    'audience.replace(/\\/$/, "")',
  ),
  bug("signatures are not verified", 'hasKeyFor(keys, token) ? view.verifyToken(keys, text) : "no-key"', '"ok"'),
  bug("a token counts in another issuer's place", 'issuer === "" || issuer === token.payload["iss"]', 'issuer === "" || issuer !== null'),
  bug(
    "a bad token is as good as none",
    'if (verdict.status === "ok") return verdict;\n    worst = graver(worst, verdict);\n  }\n  return worst',
    'return { status: "ok", verified: [] };\n  }\n  return worst',
  ),
  bug("a used token goes on", "if (!provider.forward) changed = withoutToken(changed, provider);", ""),
  bug("a client's own claim headers stay", "changed = withoutHeaders(changed, ownHeaders(event.begins));", ""),
  bug(
    "a preflight needs a token",
    "if (config.bypassCorsPreflight && isPreflight(message))",
    "if (!config.bypassCorsPreflight && isPreflight(message))",
  ),
  bug("a redirect keeps the old port beside the new one", "return newPort !== 0 || goesWithout ?", "return goesWithout ?"),
  bug("a redirect loses the query", 'const rest = stripQuery ? "" : query;', 'const rest = "";'),
  bug("a redirect is always 301", "status: STATUS[action.responseCode]", "status: 301"),
  bug(
    "a rewritten prefix replaces the whole path",
    "return replacement + path.slice(length);",
    "return path.length < length ? path : replacement;",
  ),
  bug("a rewrite loses the query", "path: changed + query }", "path: changed }"),
  bug("the original path is not told", 'withHeader(message, "x-envoy-original-path", message.path)', "message"),
  bug("a set header is added", "return [...others, line];\n    default:", "return [...headers, line];\n    default:"),
  bug("an added header replaces", "default:\n      return [...headers, line];", "default:\n      return [...others, line];"),
  bug(
    "an added header stands before those that are there",
    "default:\n      return [...headers, line];",
    "default:\n      return [line, ...headers];",
  ),
  bug(
    "headers are removed after others are added",
    "return { headers, generated };",
    "return { headers: headers.filter(([name]) => !gone.has(name)), generated };",
  ),
  bug("removed headers stay", "given.headers.filter(([name]) => !gone.has(name))", "given.headers"),
  bug(
    "response headers are left as they are",
    "const { headers } = changes.reduce((given, change) => changeHeaders(given, change), start);",
    "const { headers } = start;",
  ),
  bug("a missing cluster is 404", "? 500\n          : 503", "? 404\n          : 404"),
  bug("weights are ignored", "share: (cluster.weight ?? 0) / total", "share: 1 / to.value.clusters.length"),
  bug("copies are not sent", "if (share === 0 || found === undefined) continue;", "if (share > 0) continue;"),
  bug("one retry too few", "number <= limits.retries", "number < limits.retries"),
  bug("every answer is tried again", "return status >= 500 && status < 600;", "return status >= 200 && status < 600;"),
  bug("a refused connection is not tried again", 'return failure.kind === "connect-failure";', 'return failure.kind === "reset";'),
  bug("timeouts are ignored", "const left = limits.timeoutMs === 0 ? Infinity", "const left = limits.timeoutMs >= 0 ? Infinity"),
  bug(
    "the time of one try is ignored",
    "const perTry = limits.perTryMs === 0 ? Infinity",
    "const perTry = limits.perTryMs >= 0 ? Infinity",
  ),
  bug("faults happen to nobody", "const share = abort === undefined ? 0 : shareOf(abort.percentage);", "const share = 0;"),
  bug("an origin's case is folded", "matchesString(matcher, origin) ||", "matchesString(matcher, origin.toLowerCase()) ||"),
  bug(
    "a wildcard server name wins over the exact one",
    'if (name === seen && seen !== "") return [10_000];',
    'if (name === seen && seen !== "") return [1];',
  ),
  bug(
    "a chain for plaintext takes TLS",
    "exactOrAny(transportProtocol || undefined, seen.transportProtocol)",
    "exactOrAny(transportProtocol || undefined, transportProtocol || seen.transportProtocol)",
  ),
  bug("the least specific address wins", "1 + Math.max(...lengths)", "1 + 32 - Math.max(...lengths)"),
  bug("ALPN is not looked at", "return at === -1 ? undefined : seen.length - at;", "return seen.length - at;"),
  bug("a client needs no certificate", 'if (requireClientCertificate) return { refused: "the client shows no certificate" };', ""),
  bug("a stranger's certificate is taken", `if (!trusted) return "the client's certificate is of another authority";`, ""),
  bug("an expired certificate is taken", `if (expired) return "the client's certificate has expired";`, ""),
  bug(
    "the server's name is not compared",
    "validation.matchTypedSubjectAltNames.length > 0 && !matchesName(validation.matchTypedSubjectAltNames, server)",
    "validation.matchTypedSubjectAltNames.length > 1000",
  ),
  bug("policies for TCP are left out", "return verdict.allowed ? next(judged) :", "return verdict.policy !== null ? next(judged) :"),
  bug(
    "TCP goes to the first destination",
    "return to.value.clusters.map(({ name, weight }) => ({ name, share: weight / total }));",
    "return to.value.clusters.slice(0, 1).map(({ name }) => ({ name, share: total / total }));",
  ),
];

function bug(name: string, from: string, to: string): PlantedBug {
  return { name, from, to };
}
