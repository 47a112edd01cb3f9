export { attest } from "./attest.ts";
export { createXdsService, registerAds, type XdsOptions, type XdsService } from "./serve.ts";
export { checkLoopback, createGrpcServer } from "./grpc-server.ts";
export { ADS_SERVICE, DELTA_PATH, SOTW_PATH } from "./protocol/path.ts";
export type { ProxyStatus, TypeStatus, XdsEvent } from "./event.ts";
export { DEFAULT_LIMITS, REAL_CLOCK, type Clock, type XdsLimits } from "./limits.ts";
export { IDENTITY_HEADER, isOfDomain, type Peer, type Transport } from "./peer.ts";
