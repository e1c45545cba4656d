import type { Readable } from 'node:stream';
import { posix } from 'node:path';
import { extract } from 'tar-stream';
import { EngineError, messageOf } from '../base/index.ts';
import type { Digest } from '../base/index.ts';
import type { ImageContext } from './context.ts';
import { decompress } from './layer/index.ts';
import { archiveEntriesMax, archiveMemoryBytes, archiveSmallFileBytes, documentBytesMax, extractLimits } from './limits.ts';
import type { Lease } from './store/collector.ts';
import { digestOf } from './chain.ts';

type ArchiveFile = { readonly bytes: Uint8Array } | { readonly blob: Digest; readonly size: number } | { readonly link: string };

/** How many links may lead from one to the next: docker's own archives have one. */
const linkDepthMax = 8;

/**
 * The files of an image archive, read in one pass whatever their order: small ones are kept in memory, large ones go to the
 * blob store at once and wait there (under a lease) for a manifest to name them. Names are keys only, never paths.
 */
export class ArchiveFiles {
  readonly #files = new Map<string, ArchiveFile>();
  /** Blobs on their way to the disk. */
  readonly #durable: Promise<void>[] = [];

  private constructor(
    private readonly context: ImageContext,
    private readonly lease: Lease,
  ) {}

  static async read(context: ImageContext, archive: Readable, lease: Lease, signal: AbortSignal): Promise<ArchiveFiles> {
    const files = new ArchiveFiles(context, lease);
    await files.#readAll(archive, signal);
    return files;
  }

  async #readAll(archive: Readable, signal: AbortSignal): Promise<void> {
    const plain = decompress(archive, { limitBytes: extractLimits.bytesMax, signal });
    const tar = extract();
    plain.on('error', (error) => tar.destroy(error));
    plain.pipe(tar);
    let memory = 0;
    try {
      for await (const entry of tar) {
        signal.throwIfAborted();
        const { name, type, size = 0, linkname } = entry.header;
        const key = posix.normalize(name).replace(/^\/+/, '');
        if (this.#files.size >= archiveEntriesMax) throw new EngineError('tooLarge', `Cannot load the archive: more than ${archiveEntriesMax} files`);
        if (type === 'symlink' || type === 'link') {
          const target = linkname ?? '';
          this.#files.set(key, { link: posix.normalize(type === 'symlink' ? posix.join(posix.dirname(key), target) : target) });
          entry.resume();
        } else if (type === 'file' || type === 'contiguous-file') {
          const small = size <= archiveSmallFileBytes && memory + size <= archiveMemoryBytes;
          if (small) memory += size;
          this.#files.set(key, small ? { bytes: await collect(entry, size) } : await this.#store(entry, signal));
        } else {
          entry.resume();
        }
      }
      await Promise.all(this.#durable);
    } catch (error) {
      await Promise.allSettled(this.#durable);
      signal.throwIfAborted();
      if (error instanceof EngineError) throw error;
      throw new EngineError('invalidArgument', `Cannot load the archive: ${messageOf(error)}`, { cause: error });
    } finally {
      plain.destroy();
      tar.destroy();
    }
    if (this.#files.size === 0) throw new EngineError('invalidArgument', 'Cannot load the archive: it is no tar archive, or an empty one');
  }

  async #store(entry: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ArchiveFile> {
    const { blob: { digest, size }, durable } = await this.context.blobs.ingestAhead(entry, { signal });
    this.lease.blobs.add(digest);
    this.#durable.push(durable);
    return { blob: digest, size };
  }

  has(name: string): boolean {
    return this.#resolve(name) !== undefined;
  }

  #resolve(name: string): Exclude<ArchiveFile, { link: string }> | undefined {
    let at = posix.normalize(name).replace(/^\/+/, '');
    for (let depth = 0; depth < linkDepthMax; depth++) {
      const file = this.#files.get(at);
      if (!file) return undefined;
      if (!('link' in file)) return file;
      at = file.link;
    }
    return undefined;
  }

  /** A document's bytes. @throws invalidArgument when it is missing; tooLarge */
  async document(name: string): Promise<Uint8Array> {
    const file = this.#must(name);
    if ('bytes' in file) return file.bytes;
    if (file.size > documentBytesMax) {
      throw new EngineError('tooLarge', `Cannot load the archive: ${name} has ${file.size} bytes, at most ${documentBytesMax} are allowed`);
    }
    return collect(this.context.blobs.read(file.blob), file.size);
  }

  /** A file as a blob of the store, put there if it was small. */
  async blob(name: string, signal: AbortSignal): Promise<{ digest: Digest; size: number }> {
    const file = this.#must(name);
    if ('blob' in file) return { digest: file.blob, size: file.size };
    const digest = digestOf(file.bytes);
    this.lease.blobs.add(digest);
    if (this.context.blobs.has(digest)) return { digest, size: file.bytes.byteLength };
    const { bytes } = file;
    return this.context.blobs.ingest((async function* () { yield bytes; })(), { signal, expected: digest });
  }

  /** True for a file that went to the blob store, and was hashed, as the archive was read. */
  isStored(name: string): boolean {
    return 'blob' in this.#must(name);
  }

  #must(name: string): Exclude<ArchiveFile, { link: string }> {
    const file = this.#resolve(name);
    if (!file) throw new EngineError('invalidArgument', `Cannot load the archive: it lacks ${JSON.stringify(name.slice(0, 200))}`);
    return file;
  }
}

async function collect(source: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for await (const chunk of source) {
    if (at + chunk.byteLength > size) throw new EngineError('invalidArgument', 'Cannot load the archive: a file is longer than its header says');
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  if (at < size) throw new EngineError('invalidArgument', 'Cannot load the archive: unexpected end of the archive');
  return bytes;
}
