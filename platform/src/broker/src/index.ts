export { findNatsServer } from "./find-nats-server.ts";
export { type NatsServer, type NatsServerOptions, type NatsUser, startNatsServer } from "./nats-server.ts";
export { type BrokerStandIn, startStandIn } from "./stand-in.ts";
