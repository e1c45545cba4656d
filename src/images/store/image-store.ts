import { EngineError, failPoint, isDigest, Lane } from '../../base/index.ts';
import type { ChainId, DiffId, Digest, ImageId } from '../../base/index.ts';
import type { ImageConfigDocument, ImageRecord } from '../../model/index.ts';
import type { StateDb } from '../../state/index.ts';
import type { SnapshotDriver } from '../../storage/index.ts';
import { parseImageConfig } from '../config.ts';
import { familiarName, familiarString, parseReference, withDefaultTag } from '../reference.ts';
import type { ImageReference } from '../reference.ts';
import {
  createTables, deleteImage, deleteName, deleteSourcesExcept, readConfigBytes, readImages, readManifest, readNames, readSources,
  writeImage, writeName, writeSource,
} from './tables.ts';
import type { ImageRow, StoredLayer, StoredManifest } from './tables.ts';

/** What the store holds in memory of one image. */
export interface StoredImage {
  readonly id: ImageId;
  readonly addedAt: number;
  readonly type: 'oci' | 'embedded';
  readonly parent: ImageId | undefined;
  readonly layers: readonly StoredLayer[];
  readonly config: ImageConfigDocument;
  /** Canonical names, sorted. */
  readonly names: readonly string[];
}

export interface NewImage {
  readonly id: ImageId;
  readonly configBytes: Uint8Array;
  readonly layers: readonly StoredLayer[];
  readonly type?: 'oci' | 'embedded';
  readonly parent?: ImageId;
  readonly manifest?: StoredManifest;
  /** Canonical names it gets; each is taken from the image that had it. */
  readonly names: readonly string[];
}

/**
 * The images and their names: in memory for every read, in the state database for good. A change is on disk before memory
 * shows it; changes run one at a time.
 */
export class ImageStore {
  readonly #images = new Map<ImageId, StoredImage>();
  readonly #byName = new Map<string, ImageId>();
  readonly #records = new Map<ImageId, ImageRecord>();
  readonly #lane = new Lane();

  constructor(
    private readonly db: StateDb,
    private readonly snapshots: SnapshotDriver,
    readonly defaultHost: string,
  ) {
    createTables(db);
    const names = new Map<string, string[]>();
    for (const { name, image } of readNames(db)) {
      const list = names.get(image);
      if (list) list.push(name);
      else names.set(image, [name]);
    }
    for (const row of readImages(db)) this.#remember(row, parseImageConfig(row.config), names.get(row.id) ?? []);
  }

  #remember(row: ImageRow, config: ImageConfigDocument, names: readonly string[]): void {
    const { id, addedAt, type, parent, layers } = row;
    this.#images.set(id, { id, addedAt, type, parent, layers, config, names: names.toSorted() });
    for (const name of names) this.#byName.set(name, id);
    this.#records.delete(id);
  }

  get size(): number {
    return this.#images.size;
  }

  all(): IterableIterator<StoredImage> {
    return this.#images.values();
  }

  get(id: ImageId): StoredImage | undefined {
    return this.#images.get(id);
  }

  byName(canonical: string): StoredImage | undefined {
    const id = this.#byName.get(canonical);
    return id === undefined ? undefined : this.#images.get(id);
  }

  /** Every name of the store, canonical. */
  names(): IterableIterator<[string, ImageId]> {
    return this.#byName.entries();
  }

  childrenOf(id: ImageId): StoredImage[] {
    return [...this.#images.values()].filter((image) => image.parent === id);
  }

  /** The names as references. */
  references(image: StoredImage): ImageReference[] {
    return image.names.map((name) => parseReference(name, this.defaultHost));
  }

  /** The shape that the rest of the engine sees; computed once per change. */
  record(image: StoredImage): ImageRecord {
    const known = this.#records.get(image.id);
    if (known) return known;
    const references = this.references(image);
    const layers = image.layers.map((layer) => layer.chainId);
    const record: ImageRecord = {
      id: image.id,
      config: image.config,
      repoTags: references.filter((reference) => reference.digest === undefined).map((reference) => familiarString(reference, this.defaultHost)),
      repoDigests: references.filter((reference) => reference.digest !== undefined)
        .map((reference) => `${familiarName(reference, this.defaultHost)}@${reference.digest ?? ''}`),
      layers,
      size: layers.reduce((sum, chainId) => sum + this.snapshots.layerSize(chainId), 0),
      addedAt: image.addedAt,
      type: image.type,
      ...(image.parent === undefined ? {} : { parent: image.parent }),
    };
    this.#records.set(image.id, record);
    return record;
  }

  manifest(id: ImageId): StoredManifest | undefined {
    return readManifest(this.db, id);
  }

  /** @throws notFound */
  configBytes(id: ImageId): Uint8Array {
    const bytes = readConfigBytes(this.db, id);
    if (!bytes) throw new EngineError('notFound', `No such image: ${id}`);
    return bytes;
  }

  /** Adds an image, or names to one that is here. What an image that is here came as is kept, unless only now a manifest is known. */
  add(image: NewImage): Promise<StoredImage> {
    return this.#lane.run(async () => {
      const known = this.#images.get(image.id);
      const keep = known !== undefined && (image.manifest === undefined || this.manifest(image.id) !== undefined);
      const row: ImageRow = {
        id: image.id,
        addedAt: known?.addedAt ?? Date.now(),
        type: image.type ?? 'oci',
        parent: known ? known.parent : image.parent,
        layers: keep ? known.layers : image.layers,
        config: image.configBytes,
      };
      const config = parseImageConfig(image.configBytes);
      await this.db.write((db) => {
        if (!keep) writeImage(db, row, image.manifest);
        for (const name of image.names) writeName(db, name, image.id);
      });
      failPoint('image-row');
      this.#remember(row, config, known?.names ?? []);
      for (const name of image.names) this.#moveName(name, image.id);
      return this.#must(image.id);
    });
  }

  /** Replaces the blobs an image's layers came as (push compresses plain ones). Nothing happens when the image is gone. */
  replaceLayers(id: ImageId, layers: readonly StoredLayer[], manifest: StoredManifest): Promise<void> {
    return this.#lane.run(async () => {
      const image = this.#images.get(id);
      if (!image) return;
      const row = { ...image, layers, config: this.configBytes(id) };
      await this.db.write((db) => writeImage(db, row, manifest));
      this.#images.set(id, { ...image, layers });
    });
  }

  /** Remembers that a repository has these blobs: a later push to the same registry can take them over from there. */
  rememberSource(blobs: readonly Digest[], repository: string): Promise<void> {
    return this.db.write((db) => {
      for (const blob of blobs) writeSource(db, blob, repository);
    });
  }

  /** Drops what is remembered of blobs that are not here any more. */
  forgetSources(except: ReadonlySet<Digest>): Promise<void> {
    return this.db.write((db) => deleteSourcesExcept(db, except));
  }

  /** Repositories known to have a blob, canonical. */
  sources(blob: Digest): string[] {
    return readSources(this.db, blob);
  }

  /** A compressed form of a layer that an image here has. */
  packedForm(diffId: DiffId): StoredLayer | undefined {
    for (const image of this.#images.values()) {
      const found = image.layers.find((layer) => layer.diffId === diffId && layer.blob !== diffId);
      if (found) return found;
    }
    return undefined;
  }

  /** Gives an image one more name, taking it from whatever had it. @throws notFound when the image is gone */
  setName(name: string, id: ImageId): Promise<void> {
    return this.#lane.run(async () => {
      this.#must(id);
      if (this.#byName.get(name) === id) return;
      await this.db.write((db) => writeName(db, name, id));
      failPoint('image.named');
      this.#moveName(name, id);
    });
  }

  removeNames(names: readonly string[]): Promise<void> {
    return this.#lane.run(async () => {
      await this.db.write((db) => {
        for (const name of names) deleteName(db, name);
      });
      failPoint('image.untagged');
      for (const name of names) this.#dropName(name);
    });
  }

  /** Forgets an image and its names; its layers and blobs are the collector's. False: it was gone. */
  removeImage(id: ImageId): Promise<boolean> {
    return this.#lane.run(async () => {
      const image = this.#images.get(id);
      if (!image) return false;
      await this.db.write((db) => deleteImage(db, id));
      failPoint('image-deleted');
      for (const name of image.names) this.#byName.delete(name);
      this.#images.delete(id);
      this.#records.delete(id);
      return true;
    });
  }

  #moveName(name: string, id: ImageId): void {
    this.#dropName(name);
    const image = this.#must(id);
    this.#byName.set(name, id);
    this.#images.set(id, { ...image, names: [...image.names, name].toSorted() });
    this.#records.delete(id);
  }

  #dropName(name: string): void {
    const id = this.#byName.get(name);
    if (id === undefined) return;
    this.#byName.delete(name);
    const image = this.#images.get(id);
    if (image) this.#images.set(id, { ...image, names: image.names.filter((other) => other !== name) });
    this.#records.delete(id);
  }

  #must(id: ImageId): StoredImage {
    const image = this.#images.get(id);
    if (!image) throw new EngineError('notFound', `No such image: ${id}`);
    return image;
  }

  /**
   * Finds an image by name, digest, id or a unique beginning of an id.
   * @throws notFound `No such image: NAME` in docker's words; invalidArgument for an ambiguous id or a malformed name
   */
  find(text: string): StoredImage {
    const bare = text.startsWith('sha256:') ? text.slice(7) : text;
    if (/^[0-9a-f]{64}$/.test(bare)) {
      const id = `sha256:${bare}`;
      const image = isDigest(id) ? this.#images.get(id) : undefined;
      if (image) return image;
      throw noSuchImage(text);
    }
    let reference: ImageReference | undefined;
    if (!text.startsWith('sha256:')) {
      reference = parseReference(text, this.defaultHost);
      const named = this.#findReference(withDefaultTag(reference));
      if (named) return named;
    }
    const byPrefix = this.#findPrefix(bare);
    if (byPrefix) return byPrefix;
    throw noSuchImage(reference ? familiarString(withDefaultTag(reference), this.defaultHost) : text);
  }

  #findReference(reference: ImageReference): StoredImage | undefined {
    // With both given, the digest decides and the tag is a remark (distribution: "digest takes precedence").
    const name = `${reference.domain}/${reference.path}${reference.digest === undefined ? `:${reference.tag ?? ''}` : `@${reference.digest}`}`;
    return this.byName(name);
  }

  #findPrefix(prefix: string): StoredImage | undefined {
    if (!/^[0-9a-f]{1,63}$/.test(prefix)) return undefined;
    const start = `sha256:${prefix}`;
    let found: StoredImage | undefined;
    for (const image of this.#images.values()) {
      if (!image.id.startsWith(start)) continue;
      if (found) throw new EngineError('invalidArgument', `multiple IDs found with provided prefix: ${prefix}`);
      found = image;
    }
    return found;
  }

  /** True when `text` finds its image by id (whole or beginning), not by name: the rules of removal differ. */
  isIdOf(text: string, image: StoredImage): boolean {
    const bare = text.startsWith('sha256:') ? text.slice(7) : text;
    return image.id.startsWith(`sha256:${bare}`) && (bare.length === 64 || !this.#isName(text));
  }

  #isName(text: string): boolean {
    return this.#findReference(withDefaultTag(parseReference(text, this.defaultHost))) !== undefined;
  }

  /** Blobs and layers that images need, those in `without` left out. */
  referenced(without: ReadonlySet<ImageId> = new Set()): { blobs: Set<Digest>; layers: Set<ChainId> } {
    const blobs = new Set<Digest>();
    const layers = new Set<ChainId>();
    for (const image of this.#images.values()) {
      if (without.has(image.id)) continue;
      for (const layer of image.layers) {
        blobs.add(layer.blob);
        layers.add(layer.chainId);
      }
    }
    return { blobs, layers };
  }
}

function noSuchImage(name: string): EngineError {
  return new EngineError('notFound', `No such image: ${name}`);
}
