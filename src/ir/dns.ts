/** What a sidecar answers to its workload's questions for addresses; any other name does not exist. No name stands in two entries. */
export interface DnsTable {
  readonly entries: readonly DnsEntry[];
}

/** Names that have the same addresses; `*.example.com` stands for all names below. */
export interface DnsEntry {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}
