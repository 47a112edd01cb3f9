export { NatsBroker } from "./nats-broker.ts";
export { NatsLink, type NatsOptions } from "./link.ts";
export { STREAM } from "./names.ts";
export { permissionsOf, type ServiceGrants } from "./permissions.ts";
export { provisionConsumer, provisionStream } from "./provision.ts";
