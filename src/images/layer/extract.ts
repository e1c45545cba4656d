import { closeSync, constants, openSync, write, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { asDigest, EngineError, errnoOf, messageOf, relieveMemory, type DiffId, type IdMaps } from '../../base/index.ts';
import { truncateFd } from '../../linux/index.ts';
import { opaqueMark, whiteoutMetaPrefix, whiteoutPrefix } from './overlay-form.ts';
import { joinPath, splitPath, targetPath } from './paths.ts';
import { shown, type TarEntry } from './tar-format.ts';
import { TarReader } from './tar-reader.ts';
import { TreeWriter } from './tree-writer.ts';

export interface ExtractLimits {
  /** Sum of the sizes of all files. */
  bytesMax: number;
  entriesMax: number;
}

export interface ExtractOptions {
  limits: ExtractLimits;
  /** `oci-layer`: `.wh.` names are deletions and become overlay's. `rootfs`: they are names like others. */
  form: 'oci-layer' | 'rootfs';
  signal: AbortSignal;
  /** `oci-layer`: directories of the layers below, top first; directories that the archive does not name take their attributes from there. */
  parents?: readonly string[];
  /** The archive's owners are a container's: these are the host's for them. */
  ids?: IdMaps | undefined;
  /** Of a blob whose sha256 the caller has just computed, and that comes in buffers used in turn: no hash, and no memory to relieve. */
  diffId?: DiffId | undefined;
}

export interface ExtractResult {
  /** Sum of the sizes of all files, hard links counted once. */
  bytes: number;
  entries: number;
  /** sha256 of the whole stream. */
  diffId: DiffId;
}

/** Files from this size on are written by the thread pool: a disk that cannot keep up then holds no other container back. */
const asyncWriteBytes = 256 * 1024;

const writeAsync = promisify(write);

/**
 * Unpacks an uncompressed tar into a directory, which nothing is written outside of (see TreeWriter).
 * @throws EngineError invalidArgument for a malformed or hostile archive, tooLarge for one beyond the limits; system errors such as
 * ENOSPC as they are; the signal's reason. What was written until then stays; the caller drops the directory.
 */
export async function extractLayer(tar: AsyncIterable<Uint8Array>, target: string, options: ExtractOptions): Promise<ExtractResult> {
  const rootFd = openSync(target, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    using writer = new TreeWriter({ rootFd, parents: options.parents ?? [], overlay: options.form === 'oci-layer', ids: options.ids });
    return await unpackTar(tar, writer, options);
  } finally {
    closeSync(rootFd);
  }
}

type UnpackOptions = Omit<ExtractOptions, 'parents' | 'ids'>;

/** Feeds a tar to a writer. */
export async function unpackTar(tar: AsyncIterable<Uint8Array>, writer: TreeWriter, options: UnpackOptions): Promise<ExtractResult> {
  const unpacker = new Unpacker(writer, options);
  const hash = options.diffId === undefined ? createHash('sha256') : undefined;
  try {
    for await (const chunk of tar) {
      options.signal.throwIfAborted();
      const taken = unpacker.take(chunk);
      // Meanwhile the thread pool writes.
      hash?.update(chunk);
      await taken;
      if (hash) relieveMemory(chunk.byteLength);
    }
    options.signal.throwIfAborted();
    const { bytes, entries } = unpacker.finish();
    return { bytes, entries, diffId: options.diffId ?? asDigest(`sha256:${hash?.digest('hex') ?? ''}`) };
  } finally {
    unpacker.close();
  }
}

class Unpacker {
  readonly #reader = new TarReader();
  #file: OpenFile | undefined;
  #bytes = 0;
  #entries = 0;

  constructor(
    private readonly writer: TreeWriter,
    private readonly options: UnpackOptions,
  ) {}

  async take(chunk: Uint8Array): Promise<void> {
    const reader = this.#reader;
    reader.feed(chunk);
    for (;;) {
      const file = this.#file;
      if (file) {
        const piece = reader.takeBody();
        if (piece) {
          const pending = file.write(piece);
          if (pending) await pending;
        }
        if (reader.bodyLeft > 0) return;
        this.#file = undefined;
        file.close();
      }
      const step = reader.next();
      if (step === 'more' || step === 'end') return;
      this.#guarded(step);
    }
  }

  finish(): { bytes: number; entries: number } {
    this.#reader.finish();
    this.writer.finish();
    return { bytes: this.#bytes, entries: this.#entries };
  }

  close(): void {
    this.#file?.drop();
    this.#file = undefined;
  }

  /** Names the entry in the message of what goes wrong with it. */
  #guarded(entry: TarEntry): void {
    try {
      this.#start(entry);
    } catch (error) {
      const code = errnoOf(error);
      if (error instanceof EngineError || code === undefined || !entryErrors.has(code)) throw error;
      throw new EngineError('invalidArgument', `Cannot unpack ${shown(entry.name)}: ${messageOf(error)}`, { cause: error });
    }
  }

  #start(entry: TarEntry): void {
    const { limits, form } = this.options;
    this.#entries++;
    this.#bytes += entry.size;
    if (this.#entries > limits.entriesMax) throw new EngineError('tooLarge', `Cannot unpack archive: it has more than ${limits.entriesMax} entries`);
    if (this.#bytes > limits.bytesMax) throw new EngineError('tooLarge', `Cannot unpack archive: its files have more than ${limits.bytesMax} bytes`);
    const path = targetPath(entry.name);
    if (form === 'oci-layer' && path.includes(whiteoutPrefix) && this.#deletion(entry, path)) return;
    if (entry.type === 'file') this.#file = new OpenFile(this.writer, entry, path);
    else this.writer.place(entry, path, entry.type === 'link' ? targetPath(entry.linkName) : '');
  }

  /** Handles a whiteout; false when the name is none. */
  #deletion(entry: TarEntry, path: string): boolean {
    const [parent, name] = splitPath(path);
    if (parent.startsWith(whiteoutMetaPrefix) || parent.includes(`/${whiteoutMetaPrefix}`)) return true;
    if (!name.startsWith(whiteoutPrefix)) return false;
    if (name === opaqueMark) this.writer.opaque(parent);
    if (name.startsWith(whiteoutMetaPrefix)) return true;
    const hidden = name.slice(whiteoutPrefix.length);
    if (hidden === '' || hidden === '.' || hidden === '..') {
      throw new EngineError('invalidArgument', `Cannot unpack ${shown(entry.name)}: the whiteout names no file`);
    }
    this.writer.whiteout(joinPath(parent, hidden));
    return true;
  }
}

/** What the kernel says to names and places that an archive chose, as opposed to the state of the disk. */
const entryErrors = new Set([
  'ENAMETOOLONG', 'EINVAL', 'ELOOP', 'ENOTDIR', 'EISDIR', 'EPERM', 'ENOENT', 'EXDEV', 'EMLINK', 'EFBIG', 'ENOTEMPTY', 'EOVERFLOW',
]);

/** A file that is being written, with its place in the sparse map. */
class OpenFile {
  readonly #fd: number;
  #segment = 0;
  /** Of a sparse file, within the segment; of another, within the file. */
  #done = 0;

  constructor(
    private readonly writer: TreeWriter,
    private readonly entry: TarEntry,
    path: string,
  ) {
    this.#fd = writer.openFile(path, entry.mode);
  }

  /** Gives a promise for large files. The piece must stay as it is until that settles. */
  write(piece: Buffer): Promise<void> | undefined {
    if (this.entry.size >= asyncWriteBytes) return this.#writeLater(piece);
    for (const { bytes, offset } of this.#places(piece)) {
      for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at, bytes.length - at, offset + at);
    }
    return undefined;
  }

  async #writeLater(piece: Buffer): Promise<void> {
    for (const { bytes, offset } of this.#places(piece)) {
      for (let at = 0; at < bytes.length;) at += (await writeAsync(this.#fd, bytes, at, bytes.length - at, offset + at)).bytesWritten;
    }
  }

  *#places(piece: Buffer): Generator<{ bytes: Buffer; offset: number }> {
    const { sparse } = this.entry;
    if (!sparse) {
      yield { bytes: piece, offset: this.#done };
      this.#done += piece.length;
      return;
    }
    for (let at = 0; at < piece.length;) {
      const segment = sparse[this.#segment];
      if (!segment) return;
      const size = Math.min(piece.length - at, segment.length - this.#done);
      yield { bytes: piece.subarray(at, at + size), offset: segment.offset + this.#done };
      at += size;
      this.#done += size;
      if (this.#done < segment.length) continue;
      this.#segment++;
      this.#done = 0;
    }
  }

  close(): void {
    if (this.entry.sparse) {
      try {
        truncateFd(this.#fd, this.entry.size);
      } catch (error) {
        this.drop();
        throw error;
      }
    }
    this.writer.closeFile(this.#fd, this.entry);
  }

  /** Closes what will not be finished. */
  drop(): void {
    closeSync(this.#fd);
  }
}
