import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type AdminBackend, type AdminServer, startAdmin } from "../admin/index.ts";
import { fakeBackend } from "../testing/admin-backend.ts";
import { until } from "../testing/until.ts";
import { ask } from "./admin-client.ts";
import { HostReport } from "./host-report.ts";

let folder: string;
let socket: string;
let server: AdminServer | undefined;
let said: string[];
let report: HostReport;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kumiko-report-"));
  socket = join(folder, "admin.sock");
  said = [];
  report = new HostReport(socket, { mended: (line) => said.push(line), warn: (line) => said.push(`‼ ${line}`) });
});

afterEach(async () => {
  report.close();
  await server?.close();
  server = undefined;
  rmSync(folder, { recursive: true });
});

const database = { name: "database", ready: true, restarts: 0, message: "", weaker: [] };

async function controlPlane(): Promise<AdminBackend> {
  const backend = fakeBackend();
  server = await startAdmin({ socket, backend, report: () => {} });
  return backend;
}

describe("what runs beside the mesh", () => {
  test("is known to the control plane, also to one that comes later, and one that comes again", async () => {
    report.setWeaker(["no namespaces"]);
    report.setProgram(database);
    report.setProgram({ ...database, name: "broker", ready: false, message: "starting" });
    const wanted = { weaker: ["no namespaces"], programs: [{ name: "broker", ready: false }, database] };
    const first = await controlPlane();
    await until("it knows", () => first.status().host.programs.length === 2);
    expect(first.status().host).toMatchObject(wanted);
    await server?.close();
    const second = await controlPlane();
    expect(second.status().host.programs).toEqual([]);
    report.send();
    await until("it knows", () => second.status().host.programs.length === 2);
    expect(second.status().host).toMatchObject(wanted);
  });

  test("is told at the terminal: one line for a fault, one when it is mended, one for what is weaker", () => {
    report.setProgram({ ...database, ready: false, message: "starting" });
    report.setProgram({ ...database, weaker: ["no backups"] });
    for (const message of ["SIGKILL; starts again in 0.2 s", "starting again", "exit code 1; starts again in 0.4 s"])
      report.setProgram({ ...database, ready: false, message, weaker: ["no backups"] });
    report.setProgram({ ...database, restarts: 2, weaker: ["no backups"] });
    expect(said).toEqual([
      "‼ database: no backups",
      "‼ outside program database: SIGKILL; starts again in 0.2 s (kumiko logs outside/database)",
      "outside program database is ready again",
    ]);
  });
});

test.each([{}, { programs: [] }, { programs: [{ name: "x" }], weaker: [] }, { programs: [], weaker: [1] }, { programs: {}, weaker: [] }])(
  "a report of another shape is refused and changes nothing: %j",
  async (body) => {
    const backend = await controlPlane();
    expect((await ask(socket, "/kumiko/v1/host", { method: "POST", body })).status).toBe(422);
    expect(backend.status().host).toEqual({ programs: [], weaker: [] });
  },
);
