import { join } from "node:path";
import type { EdgePrograms } from "./programs.ts";

/** One name under which the platform is reached, and the name by which the gateway knows it. */
export interface EdgeName {
  readonly outside: string;
  readonly inside: string;
}

export interface NginxSettings {
  readonly programs: EdgePrograms;
  /** Where nginx keeps what it writes. */
  readonly folder: string;
  /** The folder of `engine.conf` and `before-crs.conf`. */
  readonly ownRules: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  readonly gatewayPort: number;
  readonly names: readonly EdgeName[];
  readonly certificatePath: string;
  readonly keyPath: string;
  /** PEM file of the authority that signed the gateway's certificate. */
  readonly authorityPath: string;
}

/** What the rule set reads: our engine's settings, the core rule set's, what we let pass, and the rules. */
export function toRulesFile({ programs, ownRules }: Pick<NginxSettings, "programs" | "ownRules">): string {
  const files = [join(ownRules, "engine.conf"), programs.rulesSetup, join(ownRules, "before-crs.conf"), join(programs.rules, "*.conf")];
  return files.map((file) => `Include ${file}\n`).join("");
}

/** The whole of nginx's configuration. `rules.conf` beside it is {@link toRulesFile}'s. */
export function toNginxConfig(settings: NginxSettings): string {
  return `load_module ${settings.programs.modsecurity};
daemon off;
worker_processes 2;
pid ${settings.folder}/nginx.pid;
error_log stderr error;
events { worker_connections 4096; }
http {
${indent(toHttp(settings))}
}
`;
}

function toHttp(settings: NginxSettings): string {
  const { folder, names } = settings;
  const insides = [...new Set(names.map(({ inside }) => inside))];
  return [
    toTempPaths(folder),
    // The services log what arrives, without queries and headers; what is refused here stands in the error log.
    "access_log off;",
    "server_tokens off;\ndefault_type application/octet-stream;",
    // A client gets as much time as a slow line needs and no more.
    "client_header_timeout 15s;\nclient_body_timeout 30s;\nsend_timeout 30s;\nkeepalive_timeout 60s;",
    "client_max_body_size 17m;\nlarge_client_header_buffers 4 16k;",
    "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }",
    toMap(
      "$host $inside",
      names.map(({ outside, inside }) => [outside, inside]),
    ),
    toMap(
      "$inside $pool",
      insides.map((inside) => [inside, poolOf(inside)]),
    ),
    // A browser keeps this for a year: not for the names of a developer's own machine, whose certificates come and go.
    `map $host $hsts { default "max-age=31536000"; ~[.]localhost$ ""; }`,
    ...insides.map((inside) => toPool(inside, settings.gatewayPort)),
    toRedirect(settings),
    toTls(settings),
    toSite(settings),
  ].join("\n");
}

function toTempPaths(folder: string): string {
  return ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/tmp/${name};`).join("\n");
}

function toMap(variables: string, entries: readonly (readonly [string, string])[]): string {
  return `map ${variables} {\n  default '';\n${entries.map(([key, value]) => `  ${key} ${value};`).join("\n")}\n}`;
}

function poolOf(inside: string): string {
  return `gateway_${inside.replaceAll(".", "_")}`;
}

/** A pool for each name: a connection kept alive was opened with one server name, and is used for that only. */
function toPool(inside: string, gatewayPort: number): string {
  return `upstream ${poolOf(inside)} { server 127.0.0.1:${gatewayPort} max_fails=0; keepalive 32; keepalive_timeout 30s; }`;
}

function toRedirect({ httpPort, httpsPort, names }: NginxSettings): string {
  const port = httpsPort === 443 ? "" : `:${httpsPort}`;
  return `server { listen 127.0.0.1:${httpPort} default_server; return 421; }
server {
  listen 127.0.0.1:${httpPort};
  server_name ${names.map(({ outside }) => outside).join(" ")};
  return 308 https://$host${port}$request_uri;
}`;
}

function toTls({ certificatePath, keyPath, httpsPort }: NginxSettings): string {
  return `ssl_certificate ${certificatePath};
ssl_certificate_key ${keyPath};
ssl_protocols TLSv1.2 TLSv1.3;
ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
ssl_prefer_server_ciphers off;
ssl_session_cache shared:tls:4m;
ssl_session_tickets off;
server { listen 127.0.0.1:${httpsPort} ssl http2 default_server; ssl_reject_handshake on; }`;
}

function toSite(settings: NginxSettings): string {
  const { folder, httpsPort, names } = settings;
  return `server {
  listen 127.0.0.1:${httpsPort} ssl http2;
  server_name ${names.map(({ outside }) => outside).join(" ")};
  # One connection, one name: a request for another one than the handshake's belongs elsewhere.
  if ($ssl_server_name != $host) { return 421; }
  modsecurity on;
  modsecurity_rules_file ${folder}/rules.conf;
  add_header Strict-Transport-Security $hsts always;
${indent(toProxy(settings))}
  location = /api/v1/chat/socket {
    proxy_pass https://$pool;
    # As long as it is open; the service pings every 25 s.
    proxy_read_timeout 90s;
    proxy_send_timeout 90s;
  }
  location / { proxy_pass https://$pool; }
}`;
}

/** All that goes on to the gateway: verified TLS under the gateway's own name, and who the client is in front of nobody's claim but ours. */
function toProxy({ authorityPath }: NginxSettings): string {
  return `proxy_http_version 1.1;
proxy_connect_timeout 3s;
proxy_read_timeout 65s;
# Films go through as they come.
proxy_buffering off;
proxy_next_upstream off;
proxy_ssl_server_name on;
proxy_ssl_name $inside;
proxy_ssl_verify on;
proxy_ssl_trusted_certificate ${authorityPath};
proxy_ssl_protocols TLSv1.2 TLSv1.3;
proxy_set_header Host $inside;
proxy_set_header Connection $connection_upgrade;
proxy_set_header Upgrade $http_upgrade;
# As a load balancer does: what the client claims stays in front, its address is added. The gateway trusts one hop and counts from the right.
proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;
proxy_set_header X-Forwarded-Host "";
proxy_set_header X-Forwarded-Port "";
proxy_set_header X-Real-IP "";
proxy_set_header Forwarded "";`;
}

function indent(text: string): string {
  return text.replaceAll(/^(?=.)/gm, "  ");
}
