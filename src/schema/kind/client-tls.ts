import type { JsonPath } from "../../model/position.ts";
import type { DestinationRuleBody } from "../bodies.ts";
import { type Report, wrong } from "../report.ts";

type Tls = NonNullable<NonNullable<NonNullable<DestinationRuleBody["spec"]>["trafficPolicy"]>["tls"]>;
type Field = keyof Tls;

const FILES = ["clientCertificate", "privateKey", "caCertificates", "caCrl"] as const satisfies readonly Field[];
const CHECKS = ["subjectAltNames", "caCertificates", "caCrl"] as const satisfies readonly Field[];

/** What contradicts itself is taken in no sense, least of all in the one that checks less (Istio refuses the same). */
export function checkTls(tls: Tls, path: JsonPath, report: Report): void {
  const contradicted = contradictedChecks(tls);
  if (contradicted.length > 0)
    wrong(
      report,
      [...path, "insecureSkipVerify"],
      `insecureSkipVerify checks nothing, ${contradicted.join(" and ")} would`,
      "remove insecureSkipVerify, or what it contradicts",
    );
  const replaced = replacedFiles(tls);
  if (replaced.length > 0)
    wrong(report, [...path, "credentialName"], `the Secret of credentialName takes the place of ${replaced.join(" and ")}`, "keep one");
  if (tls.mode === "MUTUAL" && tls.credentialName === undefined && (tls.clientCertificate === undefined || tls.privateKey === undefined)) {
    wrong(
      report,
      path,
      "TLS mode MUTUAL needs a client certificate and its key",
      "set clientCertificate and privateKey, or credentialName",
    );
  }
}

/** The same without what checks less. */
export function stricterTls(tls: Tls): Tls {
  const dropped: readonly Field[] = [
    ...replacedFiles(tls),
    ...(contradictedChecks(tls).length > 0 ? (["insecureSkipVerify"] as const) : []),
  ];
  return Object.fromEntries(Object.entries(tls).filter(([field]) => !dropped.includes(field as Field))) as Tls;
}

/** With MUTUAL the Secret holds the client's own certificate, too, which insecureSkipVerify does not contradict. */
function contradictedChecks(tls: Tls): readonly Field[] {
  if (tls.insecureSkipVerify !== true) return [];
  return given(tls, tls.mode === "SIMPLE" ? [...CHECKS, "credentialName"] : CHECKS);
}

function replacedFiles(tls: Tls): readonly Field[] {
  return given(tls, ["credentialName"]).length > 0 ? given(tls, FILES) : [];
}

/** Modes that speak to nobody's server of the mesh: the others ignore these fields. */
function given(tls: Tls, fields: readonly Field[]): readonly Field[] {
  if (tls.mode !== "SIMPLE" && tls.mode !== "MUTUAL") return [];
  return fields.filter((field) => (tls[field] ?? "") !== "" && !(Array.isArray(tls[field]) && tls[field].length === 0));
}
