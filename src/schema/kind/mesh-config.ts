import { isHeaderName } from "../../base/header-name.ts";
import { isKnownStatus } from "../../base/http-status.ts";
import { honouredMeshConfig } from "../mesh-config-schema.ts";
import type { MeshConfigBody } from "../mesh-config.ts";
import { isDnsLabel } from "../names.ts";
import { findTerminationProblems } from "../proxy-config.ts";
import { type Report, wrong } from "../report.ts";
import type { KindRules } from "../rules.ts";
import { checkExportTo } from "./common.ts";

function checkProviders({ extensionProviders = [] }: MeshConfigBody, report: Report): void {
  const names = new Set<string>();
  for (const [i, { name = "", envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc }] of extensionProviders.entries()) {
    const path = ["extensionProviders", i];
    if (name === "") wrong(report, path, "a provider without a name can't be used", "give it a name");
    else if (names.has(name)) wrong(report, [...path, "name"], `"${name}" is declared twice`, "rename or remove one of them");
    names.add(name);
    for (const [field, body] of Object.entries({ envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc })) {
      if (body === undefined) continue;
      for (const key of ["service", "port"] as const)
        if (body[key] === undefined) wrong(report, [...path, field], `an authorizer needs ${key}`, `add ${key}`);
    }
    for (const [field, { statusOnError } = {}] of Object.entries({ envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc }))
      if (statusOnError !== undefined && !isKnownStatus(Number(statusOnError)))
        wrong(report, [...path, field, "statusOnError"], `${statusOnError} is no HTTP status that Envoy knows`, "use 403 or 503");
    for (const [name, value] of Object.entries(http?.includeAdditionalHeadersInCheck ?? {}))
      if (!isHeaderName(name) || !/^[\t\x20-\x7e]{0,8192}$/.test(value))
        wrong(report, [...path, "envoyExtAuthzHttp", "includeAdditionalHeadersInCheck"], `"${name}" can't be sent as a header`);
    if (http?.pathPrefix !== undefined && !http.pathPrefix.startsWith("/"))
      wrong(report, [...path, "envoyExtAuthzHttp", "pathPrefix"], "pathPrefix begins with a slash");
  }
}

function check(body: MeshConfigBody, report: Report): void {
  for (const [i, domain] of [body.trustDomain ?? "cluster.local", ...(body.trustDomainAliases ?? [])].entries()) {
    const path = i === 0 ? ["trustDomain"] : ["trustDomainAliases", i - 1];
    if (!/^[a-z0-9._-]{1,255}$/.test(domain))
      wrong(report, path, "a trust domain has small letters, digits, dots, dashes and underscores only");
  }
  if (body.rootNamespace !== undefined && !isDnsLabel(body.rootNamespace))
    wrong(report, ["rootNamespace"], "rootNamespace is no namespace");
  checkProviders(body, report);
  for (const { path, problem } of findTerminationProblems(body.defaultConfig))
    wrong(report, ["defaultConfig", ...path], `${path.at(-1)} ${problem}`);
  for (const field of ["defaultServiceExportTo", "defaultVirtualServiceExportTo", "defaultDestinationRuleExportTo"] as const)
    checkExportTo(body[field], [field], report);
}

export const meshConfig = { honoured: honouredMeshConfig, check } satisfies KindRules;
