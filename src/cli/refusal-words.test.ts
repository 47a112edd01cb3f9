import { expect, test } from "vitest";
import { type Ending, whyItEnded } from "./refusal-words.ts";

const rbac = (policy: string) => ({ response_code_details: `rbac_access_denied_matched_policy[${policy}]`, response_flags: "-" });
const details = (text: string, flags = "-") => ({ response_code_details: text, response_flags: flags });

test.each<{ readonly line: Ending; readonly why: string | RegExp }>([
  { line: details("via_upstream"), why: "" },
  { line: details("direct_response"), why: "" },
  { line: {}, why: "" },
  { line: rbac("none"), why: "denied: no AuthorizationPolicy allows it" },
  { line: rbac("ns[shop]-policy[users]-rule[1]"), why: "denied by AuthorizationPolicy shop/users, rule 2" },
  { line: rbac("ns[shop]-policy[users~2]-rule[0]"), why: "denied by AuthorizationPolicy shop/users, rule 1" },
  { line: rbac("ns[shop]-policy[users]"), why: "denied by AuthorizationPolicy shop/users" },
  {
    line: { response_flags: "-", connection_termination_details: "rbac_access_denied_matched_policy[none]" },
    why: "denied: no AuthorizationPolicy allows it",
  },
  { line: details("jwt_authn_access_denied{Jwt_is_expired}", "UAEX"), why: "the token is refused: Jwt is expired" },
  { line: details("route_not_found", "NR"), why: "no route for this host and path" },
  { line: details("no_healthy_upstream", "UH"), why: "no ready endpoint" },
  { line: details("upstream_response_timeout", "UT"), why: "no answer within the route's timeout" },
  { line: details("upstream_reset_before_response_started{connection_termination}", "UC"), why: /^the next hop closed the connection/ },
  {
    line: details("upstream_reset_before_response_started{protocol_error}", "UPE"),
    why: /Transfer-Encoding twice .*204.*header name.*headers/,
  },
  { line: details("upstream_reset_after_response_started{protocol_error}", "UPE"), why: /\(in the middle of the answer\)$/ },
  {
    line: {
      ...details("upstream_reset_before_response_started{remote_connection_failure|TLS_error:_certificate_verify_failed}", "UF"),
      upstream_transport_failure_reason: "TLS_error: certificate verify failed",
    },
    why: "the connection to the next hop failed: TLS_error: certificate verify failed",
  },
  { line: details("downstream_remote_disconnect", "DC"), why: "the client went away" },
  { line: { response_flags: "NR", response_code_details: null }, why: "no route for this host and path" },
  { line: { response_flags: "UF,URX" }, why: "the connection to the next hop failed; all tries of the retry policy failed" },
  { line: details("something_new"), why: "something_new" },
])("$line is said in words: $why", ({ line, why }) => {
  if (typeof why === "string") expect(whyItEnded(line)).toBe(why);
  else expect(whyItEnded(line)).toMatch(why);
});
