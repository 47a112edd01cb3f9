import type { Address } from "../gen/envoy/config/core/v3/address_pb.js";

/** `10.244.0.7:8080`, `[::1]:80`, a Unix socket's path, or an internal listener's name. */
export function toAddressText(address: Address | undefined): string {
  switch (address?.address.case) {
    case "pipe":
      return address.address.value.path;
    case "envoyInternalAddress":
      return String(address.address.value.addressNameSpecifier.value ?? "");
    case "socketAddress": {
      const { address: host, portSpecifier } = address.address.value;
      return `${host.includes(":") ? `[${host}]` : host}:${portSpecifier.value ?? ""}`;
    }
    default:
      return "";
  }
}
