import { existsSync } from "node:fs";

/** Debian's packages that hold what the edge runs. */
export const PACKAGES = ["nginx", "libnginx-mod-http-modsecurity", "modsecurity-crs"] as const;

/** Files of those packages. */
export interface EdgePrograms {
  readonly nginx: string;
  /** nginx's dynamic module. */
  readonly modsecurity: string;
  /** The folder of the core rule set's rules. */
  readonly rules: string;
  /** The core rule set's settings. */
  readonly rulesSetup: string;
}

const PLACES: EdgePrograms = {
  nginx: "/usr/sbin/nginx",
  modsecurity: "/usr/lib/nginx/modules/ngx_http_modsecurity_module.so",
  rules: "/usr/share/modsecurity-crs/rules",
  rulesSetup: "/etc/modsecurity/crs/crs-setup.conf",
};

/** The programs, or `undefined` where one of the packages is not installed. */
export function findEdgePrograms(places: EdgePrograms = PLACES): EdgePrograms | undefined {
  return Object.values(places).every((path) => existsSync(path)) ? places : undefined;
}
