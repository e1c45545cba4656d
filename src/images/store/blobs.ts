import { randomBytes } from 'node:crypto';
import { createReadStream, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Readable } from 'node:stream';
import {
  EngineError, asDigest, digestHex, ensureDir, errnoOf, failPoint, fsyncDir, isDigest, messageOf, relieveMemory, shortId,
} from '../../base/index.ts';
import type { Digest } from '../../base/index.ts';
import { blobBytesMax } from '../limits.ts';

/** How much is read from or written to a blob file at once. */
const chunkBytes = 256 * 1024;

export interface IngestOptions {
  /** What the content must hash to; undefined: whatever it hashes to. */
  readonly expected?: Digest;
  readonly limitBytes?: number;
  readonly signal: AbortSignal;
}

export interface StoredBlob {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Content-addressed files: `<graph>/blobs/sha256/<hex>`. The compressed layers of pulled and loaded images stay here beside
 * their unpacked form, so that push and save give back the very bytes that came: it costs their compressed size on disk.
 * A file appears under its final name only when it is whole, hashed and on disk. `ingest/` holds what is being written.
 */
export class BlobStore {
  readonly #dir: string;
  readonly #ingestDir: string;
  readonly #partialDir: string;
  /** Digest to size, of every blob that is there. */
  readonly #sizes = new Map<Digest, number>();
  /** Names in `ingest/` that running operations write. */
  readonly #temporary = new Set<string>();

  constructor(graphRoot: string) {
    this.#dir = join(graphRoot, 'blobs', 'sha256');
    this.#ingestDir = join(graphRoot, 'blobs', 'ingest');
    ensureDir(this.#dir);
    ensureDir(this.#ingestDir);
    this.#partialDir = join(graphRoot, 'blobs', 'partial');
    ensureDir(this.#partialDir);
    for (const name of readdirSync(this.#dir)) {
      const digest = `sha256:${name}`;
      if (isDigest(digest)) this.#sizes.set(digest, statSync(join(this.#dir, name)).size);
    }
  }

  has(digest: Digest): boolean {
    return this.#sizes.has(digest);
  }

  size(digest: Digest): number {
    return this.#sizes.get(digest) ?? 0;
  }

  digests(): Digest[] {
    return [...this.#sizes.keys()];
  }

  path(digest: Digest): string {
    return join(this.#dir, digestHex(digest));
  }

  /** @throws notFound when the blob is not here. */
  read(digest: Digest): Readable {
    if (!this.has(digest)) throw new EngineError('notFound', `Cannot read blob ${shortId(digest)}: it is not in the store`);
    return createReadStream(this.path(digest), { highWaterMark: chunkBytes });
  }

  /** A file of its own beside the blobs, for work that becomes a blob by `adopt` or goes away by `#dropTemporary`. */
  #temporaryPath(): string {
    const name = randomBytes(12).toString('hex');
    this.#temporary.add(name);
    return join(this.#ingestDir, name);
  }

  /** True for a file in `ingest/` that an operation writes. */
  isTemporary(name: string): boolean {
    return this.#temporary.has(name);
  }

  async #dropTemporary(path: string): Promise<void> {
    await rm(path, { force: true });
    this.#temporary.delete(basename(path));
  }

  /**
   * Writes a stream to the store and gives its digest; durable when it returns.
   * @throws invalidArgument when the content does not hash to `expected`; tooLarge; resourceExhausted on a full disk.
   */
  async ingest(source: AsyncIterable<Uint8Array>, options: IngestOptions): Promise<StoredBlob> {
    const { blob, durable } = await this.ingestAhead(source, options);
    await durable;
    return blob;
  }

  /**
   * As `ingest`, but gives the digest when the source is read to its end; the blob is there, and on disk, only when `durable` resolves. A
   * disk that is slow to flush then does not keep the rest of an archive waiting. `durable` never rejects unnoticed: it must be awaited.
   */
  async ingestAhead(source: AsyncIterable<Uint8Array>, options: IngestOptions): Promise<{ blob: StoredBlob; durable: Promise<void> }> {
    const temporary = this.#temporaryPath();
    const limitBytes = options.limitBytes ?? blobBytesMax;
    const hash = new Bun.CryptoHasher('sha256');
    let size = 0;
    const abandon = async (error: unknown): Promise<never> => {
      await this.#dropTemporary(temporary);
      options.signal.throwIfAborted();
      throw diskError(error);
    };
    try {
      const file = await open(temporary, 'wx', 0o600);
      try {
        for await (const chunk of source) {
          options.signal.throwIfAborted();
          size += chunk.byteLength;
          if (size > limitBytes) throw new EngineError('tooLarge', `Cannot store a blob of more than ${limitBytes} bytes`);
          const writing = file.write(chunk);
          // Meanwhile the thread pool writes.
          hash.update(chunk);
          for (let at = (await writing).bytesWritten; at < chunk.byteLength;) at += (await file.write(chunk, at)).bytesWritten;
          relieveMemory(chunk.byteLength);
        }
      } catch (error) {
        await file.close();
        throw error;
      }
      const flushed = file.sync().finally(() => file.close());
      flushed.catch(() => undefined);
      const digest = asDigest(`sha256:${hash.digest('hex')}`);
      if (options.expected !== undefined && options.expected !== digest) {
        await flushed;
        throw new EngineError('invalidArgument', `Cannot store blob ${options.expected}: its content hashes to ${digest}`);
      }
      const durable = flushed.then(() => this.adopt(temporary, digest, size)).catch(abandon);
      durable.catch(() => undefined);
      return { blob: { digest, size }, durable };
    } catch (error) {
      return await abandon(error);
    }
  }

  /** Takes a whole, hashed and synced file of this file system in under its digest. */
  adopt(path: string, digest: Digest, size: number): void {
    renameSync(path, this.path(digest));
    this.#temporary.delete(basename(path));
    fsyncDir(this.#dir);
    failPoint('image-blob');
    this.#sizes.set(digest, size);
  }

  /** Where a download that may be gone on with later is written; `adopt` ends it. */
  partialPath(digest: Digest): string {
    return join(this.#partialDir, digestHex(digest));
  }

  /** Removes unfinished downloads that nobody went on with since `beforeMs`, but for those `inUse`. Gives their bytes; `dryRun`: only that. */
  clearPartial(beforeMs: number, inUse: (digest: Digest) => boolean = () => false, dryRun = false): number {
    let bytes = 0;
    for (const name of readdirSync(this.#partialDir)) {
      const path = join(this.#partialDir, name);
      const digest = `sha256:${name}`;
      const { size, mtimeMs } = statSync(path);
      if (mtimeMs >= beforeMs || (isDigest(digest) && inUse(digest))) continue;
      bytes += size;
      // In the same turn as the question: a download that begins now makes its file anew.
      if (!dryRun) rmSync(path, { force: true, recursive: true });
    }
    return bytes;
  }

  /** Gone for every reader from this call on; the file's blocks are freed later. */
  async remove(digest: Digest): Promise<void> {
    this.#sizes.delete(digest);
    const trash = this.#temporaryPath();
    try {
      renameSync(this.path(digest), trash);
    } catch (error) {
      this.#temporary.delete(basename(trash));
      if (errnoOf(error) === 'ENOENT') return;
      throw error;
    }
    failPoint('blob.removed');
    await this.#dropTemporary(trash);
  }

  /** Start-up: removes what was being written when the last daemon ended. */
  async clearIngest(): Promise<void> {
    for (const name of readdirSync(this.#ingestDir)) await rm(join(this.#ingestDir, name), { force: true });
  }
}

/** A full disk said as such; other errors as they are. */
export function diskError(error: unknown): unknown {
  const errno = errnoOf(error);
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new EngineError('resourceExhausted', 'Cannot store the image: no space left on device', { cause: error });
  }
  if (errno !== undefined && !(error instanceof EngineError) && errno.startsWith('E')) {
    return new EngineError('internal', `Cannot store the image: ${messageOf(error)}`, { cause: error });
  }
  return error;
}
