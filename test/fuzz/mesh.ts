import type { Arbitrary } from "fast-check";
import { type AuthorizerLimits, drawAuthorizers, drawCustomPolicies } from "./authorizer.ts";
import type { Document, FuzzCase } from "./document.ts";
import { type Draw, drawn } from "./draw.ts";
import { drawAuthorizationPolicies, drawPeerAuthentications, drawRequestAuthentications, type TokenRule } from "./policy.ts";
import { drawCall } from "./request.ts";
import { services } from "./topology.ts";
import { drawDestinationRules, drawGateway, drawMeshConfig, drawServiceEntries } from "./traffic.ts";
import { drawVirtualServices, type VirtualService } from "./virtual-service.ts";

/** What requests are aimed at. */
export interface GeneratedMesh {
  readonly documents: readonly Document[];
  readonly virtualServices: readonly VirtualService[];
  readonly tokenRules: readonly TokenRule[];
  readonly authorizers: readonly AuthorizerLimits[];
}

/** Meshes over one topology, each with as many calls near the edges of its conditions. */
export function cases(calls: number): Arbitrary<FuzzCase> {
  return drawn((draw) => {
    const profile = draw.chance(75) ? "istio" : "zero-trust";
    const mesh = drawMesh(draw, profile);
    return { profile, documents: mesh.documents, calls: draw.many(calls, calls, () => drawCall(draw, mesh)) };
  });
}

function drawMesh(draw: Draw, profile: FuzzCase["profile"]): GeneratedMesh {
  const virtualServices = drawVirtualServices(draw);
  const authentications = drawRequestAuthentications(draw);
  const authorizers = drawAuthorizers(draw);
  const documents = [
    ...services(),
    ...drawMeshConfig(
      draw,
      authorizers.map(({ provider }) => provider),
    ),
    drawGateway(draw),
    ...drawServiceEntries(draw),
    ...drawDestinationRules(draw),
    ...virtualServices,
    ...drawPeerAuthentications(draw),
    ...authentications,
    ...drawAuthorizationPolicies(draw, profile),
    ...drawCustomPolicies(draw, authorizers),
  ];
  return { documents, virtualServices, authorizers, tokenRules: authentications.flatMap(({ spec }) => spec.jwtRules) };
}
