/** What configuration may cost. Whatever goes beyond is refused with a diagnostic (KMK0003). */
export const LIMITS = {
  fileBytes: 4 * 1024 * 1024,
  files: 20_000,
  documentsPerFile: 10_000,
  /** Levels of folders below a path that is read. */
  folderDepth: 32,
  /** Levels within a document. */
  depth: 64,
  /** Words and signs of YAML in one file. */
  tokensPerFile: 1_000_000,
  /** Values in one file, each use of an alias counted with all that it stands for. */
  nodesPerFile: 500_000,
  /** Time and output of a program that renders. */
  renderMs: 30_000,
  renderedBytes: 16 * 1024 * 1024,
  /** Bases that one rendering takes in, each as often as it is taken. */
  renderedLayers: 2_000,
} as const;
