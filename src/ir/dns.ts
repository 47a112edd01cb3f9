/** What a sidecar answers to its workload's questions for addresses; any other name does not exist. */
export interface DnsTable {
  /** In the order of their names; `*.example.com` stands for all names below. */
  readonly hosts: readonly { readonly name: string; readonly addresses: readonly string[] }[];
}
