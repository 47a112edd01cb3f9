import type { ImageCommand } from "./kumiko-yaml.ts";
import type { Container } from "./pod.ts";

/** Declared port to the variable that tells the program to listen on another one, as the image's `portEnv` says. */
export function portVariables(container: Container, image: Pick<ImageCommand, "portEnv"> | undefined): ReadonlyMap<number, string> {
  const { portEnv } = image ?? {};
  const ports = container.ports ?? [];
  const variables = new Map<number, string>();
  if (typeof portEnv === "string") {
    if (ports[0] !== undefined) variables.set(ports[0].containerPort, portEnv);
    return variables;
  }
  for (const [port, variable] of Object.entries(portEnv ?? {})) {
    const declared = ports.find(({ name, containerPort }) => name === port || String(containerPort) === port);
    if (declared !== undefined) variables.set(declared.containerPort, variable);
  }
  return variables;
}
