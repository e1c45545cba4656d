import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { silentLogger } from '../src/base/index.ts';
import { openImageService } from '../src/images/index.ts';
import type { ImageOptions, ImageService } from '../src/images/index.ts';
import { StateDb } from '../src/state/index.ts';
import { openOverlay2 } from '../src/storage/index.ts';
import type { SnapshotDriver } from '../src/storage/index.ts';

/** An image service of its own on a directory that goes away with it; `reopen` is what a restart of the daemon does. */
export class Bench implements AsyncDisposable {
  readonly root: string;
  db: StateDb;
  snapshots: SnapshotDriver;
  images: ImageService;
  readonly events: string[] = [];

  private constructor(root: string, db: StateDb, snapshots: SnapshotDriver, images: ImageService) {
    this.root = root;
    this.db = db;
    this.snapshots = snapshots;
    this.images = images;
    this.#bind();
  }

  static async open(options: Partial<ImageOptions> = {}, parent = tmpdir()): Promise<Bench> {
    const root = mkdtempSync(join(parent, 'isula-images-'));
    const parts = await openParts(root, options);
    return new Bench(root, parts.db, parts.snapshots, parts.images);
  }

  async reopen(options: Partial<ImageOptions> = {}): Promise<void> {
    await this.images.close();
    this.db[Symbol.dispose]();
    const parts = await openParts(this.root, options);
    this.db = parts.db;
    this.snapshots = parts.snapshots;
    this.images = parts.images;
    this.#bind();
    await this.images.recover();
  }

  #bind(): void {
    this.images.bind({ uses: () => [], event: (action, id, attributes) => this.events.push(`${action} ${attributes['name'] ?? id}`) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.images.close();
    this.db[Symbol.dispose]();
    rmSync(this.root, { recursive: true, force: true });
  }
}

async function openParts(root: string, options: Partial<ImageOptions>): Promise<{ db: StateDb; snapshots: SnapshotDriver; images: ImageService }> {
  const db = new StateDb(join(root, 'isulad.db'));
  const snapshots = openOverlay2({ graphRoot: root, options: [], logger: silentLogger });
  const images = await openImageService({ graphRoot: root, db, snapshots, logger: silentLogger, options: { certsDirs: [], ...options } });
  return { db, snapshots, images };
}

/** A tar (ustar) of the given files; `name/` is a directory. */
export function tarOf(files: Record<string, string | Uint8Array>): Buffer {
  const blocks: Buffer[] = [];
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const header = Buffer.alloc(512);
    const isDirectory = name.endsWith('/');
    header.write(name, 0, 100);
    header.write(isDirectory ? '0000755\0' : '0000644\0', 100);
    header.write('0000000\x000000000\0', 108);
    header.write(`${bytes.length.toString(8).padStart(11, '0')}\x0000000000000\0        ${isDirectory ? '5' : '0'}`, 124);
    header.write('ustar\x0000', 257);
    header.write(`${header.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148);
    blocks.push(header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512));
  }
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

export function streamOf(bytes: Uint8Array): Readable {
  return Readable.from([bytes], { objectMode: false });
}

export async function bytesOf(stream: Readable): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export const noSignal = new AbortController().signal;

export function quiet(): void {
  // Progress is not looked at.
}

export function importTar(bench: Bench, reference: string, files: Record<string, string | Uint8Array>, changes: string[] = []) {
  return bench.images.import(streamOf(tarOf(files)), { reference, message: 'made for a test', changes, platform: '' }, quiet, noSignal);
}
