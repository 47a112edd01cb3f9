import { lookup } from "node:dns";
import { BlockList, type LookupFunction } from "node:net";

/** This machine itself, and addresses of a link only, such as a cloud's metadata service: nothing that a name of the outside should lead to. */
const OWN = new BlockList();
OWN.addSubnet("127.0.0.0", 8);
OWN.addSubnet("0.0.0.0", 8);
OWN.addSubnet("169.254.0.0", 16);
OWN.addAddress("::1", "ipv6");
OWN.addAddress("::", "ipv6");
OWN.addSubnet("fe80::", 10, "ipv6");

/**
 * Looks an outside host up. Who owns a name's DNS must not lead workloads to this machine's own ports by it: such addresses are left out, and
 * where no other is left, `onOwn` hears of it, once for each name. What `hosts` of `kumiko.yaml` maps is never looked up by this.
 */
export function lookupOutside(onOwn: (host: string) => void): LookupFunction {
  const told = new Set<string>();
  return (host, options, callback) => {
    lookup(host, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, "", 0);
      const outside = addresses.filter(({ address, family }) => !OWN.check(address, family === 6 ? "ipv6" : "ipv4"));
      const [first] = outside;
      if (first !== undefined) return options.all === true ? callback(null, outside) : callback(null, first.address, first.family);
      if (!told.has(host)) onOwn(host);
      told.add(host);
      callback(Object.assign(new Error(`${host} is no outside host`), { code: "EHOSTUNREACH" }), "", 0);
    });
  };
}
