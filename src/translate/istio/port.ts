/** A port number as an argument of a part. */
export interface Port {
  readonly number: number;
}

/** One object a number, 65,535 at most. */
const ports = new Map<number, Port>();

export function portOf(number: number): Port {
  let port = ports.get(number);
  if (port === undefined) ports.set(number, (port = Object.freeze({ number })));
  return port;
}
