/** What a proxy still has open. */
export interface OpenWork {
  /** Requests that are not answered yet, open WebSockets and streams, and connections that are no HTTP. */
  readonly requests: number;
  /** Connections, those that wait for their next request among them. */
  readonly connections: number;
}
