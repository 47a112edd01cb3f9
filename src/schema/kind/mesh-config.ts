import { honouredMeshConfig } from "../mesh-config-schema.ts";
import type { MeshConfigBody } from "../mesh-config.ts";
import { isDnsLabel } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { KindRules } from "../rules.ts";
import { checkExportTo } from "./common.ts";

function check(body: MeshConfigBody, report: Report): void {
  for (const [i, domain] of [body.trustDomain ?? "cluster.local", ...(body.trustDomainAliases ?? [])].entries()) {
    const path = i === 0 ? ["trustDomain"] : ["trustDomainAliases", i - 1];
    if (!/^[a-z0-9._-]{1,255}$/.test(domain))
      wrong(report, path, "a trust domain has small letters, digits, dots, dashes and underscores only");
  }
  if (body.rootNamespace !== undefined && !isDnsLabel(body.rootNamespace))
    wrong(report, ["rootNamespace"], "rootNamespace is no namespace");
  for (const field of ["defaultServiceExportTo", "defaultVirtualServiceExportTo", "defaultDestinationRuleExportTo"] as const)
    checkExportTo(body[field], [field], report);
}

export const meshConfig = { honoured: honouredMeshConfig, check } satisfies KindRules;
