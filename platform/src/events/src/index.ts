export { type Broker, type ListenOptions, type Log, type Message, type SubscribeOptions, type Subscription } from "./broker.ts";
export { eventKinds, messagePosted, presenceChanged, userSignedUp, videoPublished } from "./catalogue.ts";
export { type EventsConfig, eventsShape, openBroker } from "./config.ts";
export { type Consumer, type ConsumerOptions, type Delivery, type Handler, on, startConsumer } from "./consumer.ts";
export { defineEvent, type Envelope, type EventKind, MAX_EVENT_BYTES, type NewEvent, readEnvelope } from "./event.ts";
export { createOutbox, type Outbox } from "./outbox.ts";
export { type Relay, type RelayOptions, startRelay } from "./relay.ts";
