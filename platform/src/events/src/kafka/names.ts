/** The topic that holds all events; a record's key is the event's key, so that those of one key share a partition and their order. */
export const TOPIC = "platform.events";
