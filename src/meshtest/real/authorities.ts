import { formatIdentity } from "../../model/identity.ts";
import type { Caller } from "../document.ts";
import type { TestCertificate } from "../prepare.ts";
import type { TestMesh } from "../test-mesh.ts";
import type { TestWorkload } from "../workloads.ts";
import { type KeyAndChain, TestAuthority } from "./certificates.ts";

/** Who signs in a run on real proxies, beside each mesh's own authority. */
export class TestAuthorities {
  /** Hosts outside the mesh, applications that end TLS themselves, and what Gateways' Secrets hold: in place of the system's roots. */
  readonly #servers: TestAuthority;
  readonly #clients: TestAuthority;
  /** Trusted by nobody. */
  readonly #strangers: TestAuthority;

  constructor(nowMs: number) {
    this.#servers = new TestAuthority("Kumiko test servers", nowMs);
    this.#clients = new TestAuthority("Kumiko test clients", nowMs);
    this.#strangers = new TestAuthority("Kumiko test strangers", nowMs);
  }

  get serverRootPem(): string {
    return this.#servers.rootPem;
  }

  get clientRootPem(): string {
    return this.#clients.rootPem;
  }

  server(hosts: readonly string[]): KeyAndChain {
    return this.#servers.issue({ hosts });
  }

  /** A Secret of a Gateway; what it trusts are the clients of the tests. */
  readonly secretFor = (hosts: readonly string[]): TestCertificate => ({
    ...this.#servers.issue({ hosts }),
    trustPem: this.#clients.rootPem,
  });

  /** What a call's `clientCert` stands for. */
  client({ clientCert = "" }: Caller, { namespace }: Pick<TestWorkload, "namespace">, { mesh }: Pick<TestMesh, "mesh">): KeyAndChain {
    const own = formatIdentity({ trustDomain: mesh.settings.trustDomain, namespace, serviceAccount: "client" });
    const uri = clientCert.startsWith("spiffe://") ? clientCert : own;
    const authority = clientCert === "wrong-ca" ? this.#strangers : this.#clients;
    return authority.issue({ uri }, { expired: clientCert === "expired" });
  }
}
