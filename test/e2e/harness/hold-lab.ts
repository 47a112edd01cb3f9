// Opens a mesh in a lab and holds it until it is killed; says when it is open. `node hold-lab.ts FOLDER < mesh.yaml`
import { readFileSync } from "node:fs";
import { openTestLab, writtenMesh } from "./lab-mesh.ts";

const lab = await openTestLab(process.argv[2] ?? "");
await lab.open((await writtenMesh(readFileSync(0, "utf8"))).lab);
process.stdout.write("open\n");
setInterval(() => {}, 60_000);
