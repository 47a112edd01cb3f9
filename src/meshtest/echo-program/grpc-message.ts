/** One message as gRPC sends it: not compressed, with its length before it. */
export function formatMessage(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The first message of a gRPC body; a body that holds none whole is given as it is. */
export function readMessage(body: Buffer): Buffer {
  if (body.length < 5) return body;
  const end = 5 + body.readUInt32BE(1);
  return body[0] === 0 && end <= body.length ? body.subarray(5, end) : body;
}
