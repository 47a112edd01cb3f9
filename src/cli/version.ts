import { defineCommand } from "./command.ts";
import { EXIT } from "./exit-code.ts";
import { writeData } from "./output.ts";
import { packageVersion, versionLine } from "./package-version.ts";

export const version = defineCommand({
  name: "version",
  summary: "Print the version of kumiko and of its Node",
  options: { output: { type: "string", short: "o", value: "FORMAT", help: "how to print it", choices: ["json", "yaml"] } },
  async run({ options, io }) {
    const found = { kumiko: packageVersion(), node: process.versions.node, platform: `${process.platform}-${process.arch}` };
    if (options.output === "json" || options.output === "yaml") await writeData(io, options.output, found);
    else io.stdout.write(`${versionLine()}\nnode ${found.node} (${found.platform})\n`);
    return EXIT.done;
  },
});
