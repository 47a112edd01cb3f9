import { resolve } from "node:path";
import type { LocatedResource } from "../model/resource.ts";
import { type ResourcePath, splitResourcePath } from "../model/resource-path.ts";
import { readContent, recallContent, recallTakes } from "./content.ts";
import { EMPTY_FILE, type FileMemory, keepFile, updateFile } from "./file-memory.ts";
import type { Kept, KeptResources } from "./kept-resources.ts";
import {
  fateOf,
  fatesOf,
  hasSameMemories,
  hasSameWords,
  isBelow,
  keyOf,
  type KnownFile,
  nameOf,
  partsOf,
  placesOf,
  withoutWaiting,
} from "./known-file.ts";
import type { LastGoodTexts } from "./last-good.ts";
import type { KnownLayers } from "./kustomize/tree.ts";
import { fileKey, type FileName, type FoundFile, listFiles, type Listing } from "./list-files.ts";
import { type Contested, type Declared, mergeDeclared } from "./merge.ts";
import { describeHeld, guardRemovals, type Guarded, type HeldRemoval, NOTHING_YET } from "./removal-guard.ts";

export interface FileReaderOptions {
  readonly paths: readonly ResourcePath[];
  readonly lastGood?: LastGoodTexts | undefined;
  readonly kept?: KeptResources | undefined;
  /** How long a file must stay as it is before what it has lost counts: a writer may still be at work, an editor about to put it back. */
  readonly quietMs: number;
  /** What could not be written down; it is tried again with the next reading. */
  readonly onFailure: (error: unknown) => void;
}

export interface Reading {
  readonly declared: Declared;
  readonly hasChanged: boolean;
  readonly folders: readonly string[];
  /** Something is waited for: read again after `quietMs`. */
  readonly isWaiting: boolean;
}

const GONE = "gone";

/** What is remembered between two readings of the same paths. */
export class FileReader {
  readonly #options: FileReaderOptions;
  readonly #layers: KnownLayers = new Map();
  #files: ReadonlyMap<string, KnownFile> = new Map();
  #guarded: Guarded = NOTHING_YET;
  #contested: Contested = new Map();
  /** Of files below other paths than ours: whoever reads those goes on with it. */
  #foreign: Kept = { held: [], contested: [] };
  #complaints = "";
  #isFirst = true;
  #isWrittenDown = true;
  /** Files whose text is not kept yet. */
  readonly #unwritten = new Set<string>();
  /** Files that are gone, whose text is still kept. */
  readonly #unforgotten = new Map<string, FileName>();

  constructor(options: FileReaderOptions) {
    this.#options = options;
  }

  get held(): readonly HeldRemoval[] {
    return this.#guarded.held;
  }

  /** What is held back of these files goes; the next reading says so. */
  release(isMeant: (held: HeldRemoval) => boolean): readonly HeldRemoval[] {
    const released = this.#guarded.held.filter(isMeant);
    const gone = new Set(released.map(({ resource }) => resource));
    this.#guarded = {
      resources: this.#guarded.resources.filter((resource) => !gone.has(resource)),
      held: this.#guarded.held.filter((held) => !gone.has(held.resource)),
    };
    if (released.length > 0) [this.#isWrittenDown, this.#complaints] = [false, ""];
    return released;
  }

  async read(): Promise<Reading> {
    const listing = await listFiles(this.#options.paths, this.#layers);
    if (this.#isFirst) await this.#recall(listing);
    const rendered = new Map<string, KnownFile>();
    for (const found of listing.files) if (found.render !== undefined) rendered.set(fileKey(found), await this.#readFile(found));
    const missing = this.#findMissing(listing);
    // What goes on as it was is made of them still: as they are they would say something else.
    const taken = new Set([...rendered.values(), ...missing.values()].flatMap(({ takes }) => [...takes]));
    const files = new Map<string, KnownFile>();
    for (const found of listing.files) {
      const key = fileKey(found);
      if (found.render === undefined && found.isNamed !== true && taken.has(resolve(found.path))) continue;
      files.set(key, rendered.get(key) ?? (await this.#readFile(found)));
    }
    return await this.#settle(new Map([...files, ...missing]), listing);
  }

  async #settle(files: Map<string, KnownFile>, listing: Listing): Promise<Reading> {
    const before = this.#guarded;
    const resources = new Map(before.resources.map((resource) => [keyOf(resource), resource]));
    const merged = mergeDeclared(partsOf(files), { resources, contested: this.#contested });
    const gone = [...this.#files].flatMap(([key, file]) => (files.has(key) ? [] : [file]));
    const fates = fatesOf(files.values(), gone);
    const guarded = guardRemovals(before, merged.resources, (file) => fates.get(file) ?? "gone");
    const diagnostics = [...listing.diagnostics, ...describeHeld(guarded.held), ...merged.diagnostics];
    const complaints = JSON.stringify([
      listing.diagnostics.map(({ message }) => message),
      guarded.held.map(({ resource }) => keyOf(resource)),
    ]);
    const hasChanged = this.#isFirst || complaints !== this.#complaints || !hasSameMemories(this.#files, files);
    for (const [key, file] of this.#files) if (!files.has(key)) this.#unforgotten.set(key, file);
    for (const key of files.keys()) this.#unforgotten.delete(key);
    const changed = [...files].flatMap(([key, file]) => (this.#isFirst || file.text !== this.#files.get(key)?.text ? [file] : []));
    [this.#files, this.#guarded, this.#contested] = [files, guarded, merged.contested];
    [this.#complaints, this.#isFirst] = [complaints, false];
    for (const file of changed) this.#unwritten.add(fileKey(file));
    if (hasChanged || !this.#isWrittenDown) await this.#writeDown();
    const isWaiting = [...files.values()].some(({ waiting }) => waiting !== undefined);
    return { declared: { resources: guarded.resources, diagnostics }, hasChanged, folders: listing.folders, isWaiting };
  }

  /**
   * First what is held, then what the files say without it: whenever the process ends, nothing is between the two. A file of which something
   * can't be kept stays as it was; the others go on.
   */
  async #writeDown(): Promise<void> {
    const { kept, onFailure } = this.#options;
    const failures: unknown[] = [];
    try {
      const contested = [...this.#contested.values()].filter((resource) => resource !== undefined);
      const unkept = await kept?.write({
        held: [...this.#guarded.held, ...this.#foreign.held],
        contested: [...contested, ...this.#foreign.contested],
      });
      for (const { error } of unkept ?? []) failures.push(error);
      const files = new Set(unkept?.map(({ file }) => file));
      await this.#writeTexts((file) => !files.has(file.path), failures);
    } catch (error) {
      failures.push(error);
    }
    if (failures.length > 0 && this.#isWrittenDown) onFailure(failures[0]);
    this.#isWrittenDown = failures.length === 0;
  }

  /** Each by itself: one that can't be kept takes no other one's place. */
  async #writeTexts(mayChange: (file: FileName) => boolean, failures: unknown[]): Promise<void> {
    const { lastGood } = this.#options;
    const attempt = (write: () => Promise<void> | undefined, done: () => void) =>
      Promise.resolve()
        .then(write)
        .then(done, (error: unknown) => failures.push(error));
    for (const [key, file] of this.#unforgotten) {
      if (mayChange(file))
        await attempt(
          () => lastGood?.forget(file),
          () => this.#unforgotten.delete(key),
        );
    }
    for (const key of this.#unwritten) {
      const file = this.#files.get(key);
      if (file !== undefined && !mayChange(file)) continue;
      const isGood = file?.waiting === undefined && !file?.memory.diagnostics.some(({ severity }) => severity === "error");
      const text = isGood ? file?.text : undefined;
      await attempt(
        () => (file && text !== undefined ? lastGood?.write(file, text) : undefined),
        () => this.#unwritten.delete(key),
      );
    }
  }

  /** What an earlier process had in force, so that what has vanished since is noticed. */
  async #recall(listing: Listing): Promise<void> {
    const { lastGood, kept, paths } = this.#options;
    const given = paths.map(splitResourcePath);
    const isGiven = (file: FileName) =>
      given.some(
        ({ path, namespace, values }) =>
          namespace === file.namespace && (file.values === undefined || file.values === values) && isBelow(file.path, path),
      );
    const files = new Map<string, KnownFile>();
    for (const found of [...listing.files, ...((await lastGood?.files()) ?? []).filter(isGiven)]) {
      const name = nameOf(found);
      const text = files.has(fileKey(name)) ? undefined : await lastGood?.read(name);
      if (text === undefined) continue;
      const memory = updateFile(EMPTY_FILE, recallContent(text, name));
      files.set(fileKey(name), {
        ...name,
        stamp: "",
        inputs: placesOf(memory),
        takes: recallTakes(text, name),
        text: undefined,
        goodText: text,
        memory,
        fate: "goes-on",
      });
    }
    const { held, contested } = (await kept?.read()) ?? { held: [], contested: [] };
    const inputs = new Set([...files.values()].flatMap((file) => file.inputs));
    const isOurs = (file: string) => inputs.has(file) || given.some(({ path }) => isBelow(file, path));
    const isOwn = (resource: LocatedResource) => isOurs(resource.locate([]).file);
    this.#foreign = { held: held.filter(({ file }) => !isOurs(file)), contested: contested.filter((resource) => !isOwn(resource)) };
    const inForce = new Map(contested.filter(isOwn).map((resource) => [keyOf(resource), resource]));
    const merged = mergeDeclared(partsOf(files), { resources: inForce, contested: new Map() });
    this.#contested = merged.contested;
    const declared = new Set(merged.resources.map(keyOf));
    const still = held.filter(({ resource, file }) => isOurs(file) && !declared.has(keyOf(resource)));
    this.#files = files;
    this.#guarded = { resources: [...merged.resources, ...still.map(({ resource }) => resource)], held: still };
  }

  async #readFile(found: FoundFile): Promise<KnownFile> {
    const { stamp } = found;
    const known = this.#files.get(fileKey(found));
    const startMs = performance.now();
    if (known?.stamp === stamp && known.waiting === undefined && !(startMs >= (known.againMs ?? Infinity))) return known;
    const { memory: before, goodText } = known ?? { memory: EMPTY_FILE, goodText: undefined };
    const { text, documents, diagnostics, mayGoOn, takes, mayPass } = await readContent(found, goodText ?? "");
    const name = { ...nameOf(found), stamp };
    if (text !== undefined && known !== undefined && text === known.text) return withoutWaiting(known, stamp);
    if (diagnostics.length > 0) {
      const kept = keepFile(before, found.path, diagnostics);
      const again = mayPass && { againMs: againAfter(startMs, this.#options.quietMs) };
      const memory = known !== undefined && hasSameWords(known.memory, kept) ? known.memory : kept;
      return { ...name, inputs: known?.inputs ?? [], takes: known?.takes ?? takes, goodText, fate: "goes-on", memory, text, ...again };
    }
    const memory = updateFile(before, documents);
    const good = text ?? "";
    const waiting = known === undefined || this.#isFirst ? undefined : this.#waitFor(known, { stamp, mayGoOn, memory });
    if (known !== undefined && waiting !== undefined) return { ...known, waiting };
    return { ...name, inputs: placesOf(memory), takes, text, goodText: good, memory, fate: fateOf(before, memory) };
  }

  #waitFor(known: KnownFile, { stamp, mayGoOn, memory }: { stamp: string; mayGoOn: boolean; memory: FileMemory }): KnownFile["waiting"] {
    const now = new Set(memory.resources.map(keyOf));
    const leaving = new Set(known.memory.resources.map(keyOf).filter((key) => !now.has(key)));
    if (leaving.size === 0 && !mayGoOn) return undefined;
    const sinceMs = known.waiting?.stamp === stamp ? known.waiting.sinceMs : performance.now();
    return performance.now() - sinceMs >= this.#options.quietMs ? undefined : { stamp, sinceMs, leaving };
  }

  /** A folder that can't be read has not lost its files, and one that an editor is about to put back is not gone. */
  #findMissing({ files: listed, outOfSight, unclear }: Listing): ReadonlyMap<string, KnownFile> {
    const keys = new Set(listed.map(fileKey));
    const missing = new Map<string, KnownFile>();
    for (const [key, known] of this.#files) {
      if (keys.has(key)) continue;
      const isHidden =
        outOfSight.some((hidden) => isBelow(known.path, hidden)) || unclear.some((path) => isBelow(resolve(known.path), path));
      const sinceMs = known.waiting?.stamp === GONE ? known.waiting.sinceMs : performance.now();
      if (isHidden) missing.set(key, withoutWaiting(known, ""));
      else if (!this.#isFirst && performance.now() - sinceMs < this.#options.quietMs) {
        const leaving = new Set(known.memory.resources.map(keyOf));
        missing.set(key, { ...known, stamp: "", waiting: { stamp: GONE, sinceMs, leaving } });
      }
    }
    return missing;
  }
}

/** What the machine was short of may be there again; what takes long is not tried all the time. */
const LEAST_PAUSES = 10;
const PAUSE_SHARE = 10;

function againAfter(startMs: number, quietMs: number): number {
  const nowMs = performance.now();
  return nowMs + Math.max(LEAST_PAUSES * quietMs, PAUSE_SHARE * (nowMs - startMs));
}
