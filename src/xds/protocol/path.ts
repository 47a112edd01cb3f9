const SERVICE = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

/** The two methods of ADS, as HTTP/2 paths. */
export const DELTA_PATH = `${SERVICE}/DeltaAggregatedResources`;
export const SOTW_PATH = `${SERVICE}/StreamAggregatedResources`;

const same = (bytes: Buffer): Buffer => bytes;
const stream = {
  requestStream: true,
  responseStream: true,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

/** ADS with ready-made buffers on both sides, as grpc-js defines a service. */
export const ADS_SERVICE = {
  DeltaAggregatedResources: { path: DELTA_PATH, ...stream },
  StreamAggregatedResources: { path: SOTW_PATH, ...stream },
};
