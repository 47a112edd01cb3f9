import { create } from "@bufbuild/protobuf";
import { type CidrRange, CidrRangeSchema } from "../../gen/envoy/config/core/v3/address_pb.js";

/** `10.0.0.0/8`; an address without a length is that one address. */
export function toCidrRange(cidr: string): CidrRange {
  const [addressPrefix = "", length] = cidr.split("/");
  const prefixLen = length === undefined ? (addressPrefix.includes(":") ? 128 : 32) : Number(length);
  return create(CidrRangeSchema, { addressPrefix, prefixLen });
}
