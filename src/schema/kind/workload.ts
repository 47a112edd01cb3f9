import { formatPath, type JsonPath } from "../../model/position.ts";
import type { DeploymentBody, PodBody, StatefulSetBody } from "../bodies.ts";
import type { HonouredSome } from "../honoured.ts";
import { explainName, isDnsLabel, isDnsSubdomain, isPort } from "../names.ts";
import { type Report, wrong } from "../report.ts";
import type { KindRules } from "../rules.ts";
import { quote } from "../shape.ts";

type PodSpec = NonNullable<PodBody["spec"]>;
type Workload = NonNullable<DeploymentBody["spec"] | StatefulSetBody["spec"]>;

const NOT_PROJECTED = "it is left out of the volume";
const LEFT_OUT = "the volume is left out, and where it is mounted there is nothing";

const container = {
  args: true,
  command: true,
  env: true,
  envFrom: true,
  image: true,
  lifecycle: { postStart: true, preStop: true },
  livenessProbe: true,
  name: true,
  ports: true,
  readinessProbe: true,
  startupProbe: true,
  volumeMounts: { mountPath: true, name: true, readOnly: true, subPath: true, subPathExpr: "the mount is left out" },
  workingDir: true,
} as const satisfies HonouredSome<PodSpec["containers"][number]>;

const podSpec = {
  containers: container,
  initContainers: { ...container, restartPolicy: true },
  hostname: true,
  serviceAccount: true,
  serviceAccountName: true,
  terminationGracePeriodSeconds: true,
  volumes: {
    configMap: true,
    csi: LEFT_OUT,
    downwardAPI: true,
    emptyDir: true,
    ephemeral: LEFT_OUT,
    hostPath: LEFT_OUT,
    image: LEFT_OUT,
    name: true,
    nfs: LEFT_OUT,
    persistentVolumeClaim: true,
    projected: {
      defaultMode: true,
      sources: {
        clusterTrustBundle: NOT_PROJECTED,
        configMap: true,
        downwardAPI: true,
        podCertificate: NOT_PROJECTED,
        secret: true,
        serviceAccountToken: NOT_PROJECTED,
      },
    },
    secret: true,
  },
} as const satisfies HonouredSome<PodSpec>;

const template = { metadata: true, spec: podSpec } as const;

const honouredPod: HonouredSome<PodBody> = { spec: podSpec, status: true };
const honouredDeployment: HonouredSome<DeploymentBody> = {
  spec: { replicas: true, selector: true, strategy: { rollingUpdate: { maxSurge: true } }, template },
  status: true,
};
const honouredStatefulSet: HonouredSome<StatefulSetBody> = {
  spec: {
    replicas: true,
    selector: true,
    podManagementPolicy: true,
    serviceName: true,
    template,
    volumeClaimTemplates: { metadata: true },
  },
  status: true,
};

function checkPod({ spec }: PodBody, report: Report): void {
  if (spec !== undefined) checkPodSpec(spec, ["spec"], report);
}

function checkPodSpec({ containers, serviceAccountName, serviceAccount }: PodSpec, path: JsonPath, report: Report): void {
  for (const [field, name] of Object.entries({ serviceAccountName, serviceAccount })) {
    // An empty one means the default.
    if (name !== undefined && name !== "" && !isDnsSubdomain(name))
      wrong(report, [...path, field], `${quote(name)} is no service account`, explainName(name, { dots: true }));
  }
  if (containers.length === 0) wrong(report, [...path, "containers"], `${formatPath(path)} has no containers`);
  const names = new Set<string>();
  for (const [i, { name, ports = [] }] of containers.entries()) {
    const at = [...path, "containers", i];
    if (!isDnsLabel(name)) wrong(report, [...at, "name"], `${quote(name)} is no container name`, explainName(name, { dots: false }));
    if (names.has(name)) wrong(report, [...at, "name"], `container ${JSON.stringify(name)} is declared twice`, "rename one of them");
    names.add(name);
    for (const [j, port] of ports.entries())
      if (!isPort(port.containerPort)) wrong(report, [...at, "ports", j, "containerPort"], `${port.containerPort} is no port`);
  }
}

function checkWorkload({ spec }: { readonly spec?: Workload }, report: Report): void {
  if (spec === undefined) return wrong(report, [], "spec is missing");
  if ((spec.replicas ?? 1) < 0) wrong(report, ["spec", "replicas"], "replicas can't be negative");
  if (spec.template.spec === undefined) wrong(report, ["spec", "template"], "spec.template.spec is missing");
  else checkPodSpec(spec.template.spec, ["spec", "template", "spec"], report);
  const labels = spec.template.metadata?.labels ?? {};
  for (const [key, value] of Object.entries(spec.selector.matchLabels ?? {})) {
    if (labels[key] !== value)
      wrong(
        report,
        ["spec", "selector", "matchLabels", key],
        `the selector asks for label ${key}, which the template doesn't give its Pods as written`,
        "make selector and template agree",
      );
  }
}

export const pod = { honoured: honouredPod, check: checkPod } satisfies KindRules;
export const deployment = { honoured: honouredDeployment, check: checkWorkload } satisfies KindRules;
export const statefulSet = { honoured: honouredStatefulSet, check: checkWorkload } satisfies KindRules;
