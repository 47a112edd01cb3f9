import { isIp } from "../base/cidr.ts";
import { isTls, type ServicePort } from "../model/service.ts";
import type { Call } from "./document.ts";
import { isTlsScheme } from "./request-url.ts";

/** A port of a host outside the mesh, as far as the mesh's resources and the test's calls know it. */
export interface OutsidePort {
  readonly host: string;
  readonly port: number;
  /** The ports of ServiceEntries behind which it stands. */
  readonly declared: readonly ServicePort[];
  readonly calls: readonly Call[];
}

/**
 * Whether a port outside the mesh speaks TLS, or else plaintext: never both, so that TLS which got lost on the way is noticed. The declaration of the port
 * itself says it. One that is declared as another port's target, or not at all, is known by its number (443, 8443) or by how the test calls it. On 443
 * everybody speaks TLS, also where the mesh is told that its applications speak HTTP and a DestinationRule puts that into TLS.
 */
export function speaksTls({ host, port, declared, calls }: OutsidePort): boolean {
  if (port === 443) return true;
  const own = declared.filter(({ number, targetPort }) => number === port && (targetPort ?? port) === port);
  if (own.length > 0) return own.some(({ protocol }) => isTls(protocol));
  if (port % 1000 === 443) return true;
  return calls.some(
    ({ request: { url } }) => isTlsScheme(url.scheme) && url.port === port && (url.host.toLowerCase() === host || isIp(host)),
  );
}
