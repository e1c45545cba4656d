import type { Database } from 'bun:sqlite';
import { isDigest, isRecord } from '../../base/index.ts';
import type { ChainId, DiffId, Digest, ImageId } from '../../base/index.ts';
import type { StateDb } from '../../state/index.ts';

/** One layer of a stored image: the unpacked layer's id, and the blob that it came as. */
export interface StoredLayer {
  readonly diffId: DiffId;
  readonly chainId: ChainId;
  readonly blob: Digest;
  /** Bytes of the blob. */
  readonly size: number;
  readonly mediaType: string;
}

/** The manifest an image came with, kept byte for byte so that push and save give back its digest. */
export interface StoredManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

export interface ImageRow {
  readonly id: ImageId;
  readonly addedAt: number;
  readonly type: 'oci' | 'embedded';
  readonly parent: ImageId | undefined;
  readonly layers: readonly StoredLayer[];
  readonly config: Uint8Array;
}

/** Names are stored in canonical form (`docker.io/library/busybox:latest`, `…@sha256:…`). */
export function createTables(db: StateDb): void {
  db.raw.exec(`
    CREATE TABLE IF NOT EXISTS images (
      id TEXT PRIMARY KEY, added_at REAL NOT NULL, type TEXT NOT NULL, parent TEXT, layers TEXT NOT NULL,
      config BLOB NOT NULL, manifest_type TEXT, manifest BLOB);
    CREATE TABLE IF NOT EXISTS image_names (
      name TEXT PRIMARY KEY, image TEXT NOT NULL REFERENCES images(id) ON DELETE CASCADE) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS image_blob_sources (
      blob TEXT NOT NULL, repository TEXT NOT NULL, PRIMARY KEY (blob, repository)) WITHOUT ROWID;
  `);
}

export function readImages(db: StateDb): ImageRow[] {
  const rows: ImageRow[] = [];
  for (const row of db.raw.query('SELECT id, added_at, type, parent, layers, config FROM images ORDER BY added_at').iterate()) {
    const image = decodeRow(row);
    if (image) rows.push(image);
  }
  return rows;
}

function decodeRow(row: unknown): ImageRow | undefined {
  if (!isRecord(row)) return undefined;
  const { id, added_at: addedAt, type, parent, layers, config } = row;
  if (typeof id !== 'string' || !isDigest(id) || typeof addedAt !== 'number' || typeof layers !== 'string' || !(config instanceof Uint8Array)) {
    return undefined;
  }
  const parsed: unknown = JSON.parse(layers);
  if (!Array.isArray(parsed)) return undefined;
  return {
    id,
    addedAt,
    type: type === 'embedded' ? 'embedded' : 'oci',
    parent: typeof parent === 'string' && isDigest(parent) ? parent : undefined,
    layers: parsed.flatMap((item: unknown) => decodeLayer(item)),
    config,
  };
}

function decodeLayer(item: unknown): StoredLayer[] {
  if (!isRecord(item)) return [];
  const { diffId, chainId, blob, size, mediaType } = item;
  if (typeof diffId !== 'string' || typeof chainId !== 'string' || typeof blob !== 'string' || typeof mediaType !== 'string') return [];
  if (!isDigest(diffId) || !isDigest(chainId) || !isDigest(blob)) return [];
  return [{ diffId, chainId, blob, size: typeof size === 'number' ? size : 0, mediaType }];
}

export function readNames(db: StateDb): { name: string; image: string }[] {
  const names: { name: string; image: string }[] = [];
  for (const row of db.raw.query('SELECT name, image FROM image_names').iterate()) {
    if (isRecord(row) && typeof row['name'] === 'string' && typeof row['image'] === 'string') names.push({ name: row['name'], image: row['image'] });
  }
  return names;
}

export function readManifest(db: StateDb, id: ImageId): StoredManifest | undefined {
  const row: unknown = db.raw.query('SELECT manifest_type, manifest FROM images WHERE id = ?').get(id);
  if (!isRecord(row)) return undefined;
  const { manifest_type: mediaType, manifest } = row;
  return typeof mediaType === 'string' && manifest instanceof Uint8Array ? { mediaType, bytes: manifest } : undefined;
}

export function readConfigBytes(db: StateDb, id: ImageId): Uint8Array | undefined {
  const row: unknown = db.raw.query('SELECT config FROM images WHERE id = ?').get(id);
  return isRecord(row) && row['config'] instanceof Uint8Array ? row['config'] : undefined;
}

/** Inserts an image, or replaces what is known of it (its layers' blobs, its manifest). Names are kept. */
export function writeImage(db: Database, row: ImageRow, manifest: StoredManifest | undefined): void {
  db.query(`INSERT INTO images (id, added_at, type, parent, layers, config, manifest_type, manifest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT(id) DO UPDATE SET layers = excluded.layers, manifest_type = excluded.manifest_type, manifest = excluded.manifest`)
    .run(
      row.id,
      row.addedAt,
      row.type,
      row.parent ?? null,
      JSON.stringify(row.layers),
      row.config,
      manifest?.mediaType ?? null,
      manifest?.bytes ?? null,
    );
}

export function writeName(db: Database, name: string, image: ImageId): void {
  db.query('INSERT INTO image_names (name, image) VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET image = excluded.image').run(name, image);
}

export function deleteName(db: Database, name: string): void {
  db.query('DELETE FROM image_names WHERE name = ?').run(name);
}

export function deleteImage(db: Database, id: ImageId): void {
  db.query('DELETE FROM image_names WHERE image = ?').run(id);
  db.query('DELETE FROM images WHERE id = ?').run(id);
}

export function writeSource(db: Database, blob: Digest, repository: string): void {
  db.query('INSERT OR IGNORE INTO image_blob_sources (blob, repository) VALUES (?, ?)').run(blob, repository);
}

export function readSources(db: StateDb, blob: Digest): string[] {
  return db.raw.query('SELECT repository FROM image_blob_sources WHERE blob = ?').all(blob)
    .flatMap((row: unknown) => (isRecord(row) && typeof row['repository'] === 'string' ? [row['repository']] : []));
}

/** Sources of blobs that are not here any more say nothing. */
export function deleteSourcesExcept(db: Database, blobs: ReadonlySet<Digest>): void {
  for (const row of db.query('SELECT DISTINCT blob FROM image_blob_sources').all()) {
    if (isRecord(row) && typeof row['blob'] === 'string' && !(isDigest(row['blob']) && blobs.has(row['blob']))) {
      db.query('DELETE FROM image_blob_sources WHERE blob = ?').run(row['blob']);
    }
  }
}
