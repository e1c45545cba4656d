import { open, rm, stat } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { EngineError, Gate, isEngineError, messageOf, relieveMemory, shortId } from '../../base/index.ts';
import type { Digest } from '../../base/index.ts';
import type { BlobStore } from '../store/blobs.ts';
import { diskError } from '../store/blobs.ts';
import { SharedWork } from '../store/shared-work.ts';
import { bodyChunks } from './body.ts';
import type { Repository } from './repository.ts';

export interface BlobToFetch {
  readonly digest: Digest;
  readonly size: number;
}

export interface DownloadWatcher {
  /** Others are before it. */
  waiting(): void;
  /** It is this blob's turn. */
  started(): void;
  progress(received: number): void;
}

/** A blob whose connection breaks this often without one new byte is given up. */
const breaksMax = 5;

/**
 * Fetches blobs into the store: so many at once, the same blob once however many pulls want it, from where a broken or
 * cancelled attempt ended (its file stays as `partial/<hex>` until it is completed or collected).
 */
export class Downloads {
  readonly #work = new SharedWork<Digest, void>();
  readonly #watchers = new Map<Digest, Set<DownloadWatcher>>();
  readonly #gate: Gate;

  constructor(
    private readonly blobs: BlobStore,
    atOnce: number,
  ) {
    this.#gate = new Gate(atOnce);
  }

  isFetching(digest: Digest): boolean {
    return this.#work.has(digest);
  }

  /** @throws invalidArgument for content of another digest or length; unavailable, timeout, resourceExhausted */
  async fetch(blob: BlobToFetch, repository: Repository, watcher: DownloadWatcher, signal: AbortSignal): Promise<void> {
    const watchers = this.#watchers.get(blob.digest) ?? new Set();
    this.#watchers.set(blob.digest, watchers.add(watcher));
    try {
      await this.#work.run(blob.digest, signal, (shared) => {
        if (this.#gate.isFull) watcher.waiting();
        return this.#gate.run(async () => {
          shared.throwIfAborted();
          if (this.blobs.has(blob.digest)) return;
          for (const each of watchers) each.started();
          await this.#fetchWhole(blob, repository, (received) => {
            for (const each of watchers) each.progress(received);
          }, shared);
        });
      });
    } finally {
      watchers.delete(watcher);
      if (watchers.size === 0) this.#watchers.delete(blob.digest);
    }
  }

  async #fetchWhole(blob: BlobToFetch, repository: Repository, onProgress: (received: number) => void, signal: AbortSignal): Promise<void> {
    const path = this.blobs.partialPath(blob.digest);
    const resumed = await stat(path).then((found) => found.size > 0, () => false);
    try {
      await this.#fetchTo(path, blob, repository, onProgress, signal);
    } catch (error) {
      // What an earlier attempt left may have lost bytes in a power cut: once more from the beginning.
      if (!resumed || !isEngineError(error, 'invalidArgument')) throw error;
      await this.#fetchTo(path, blob, repository, onProgress, signal);
    }
  }

  async #fetchTo(
    path: string,
    blob: BlobToFetch,
    repository: Repository,
    onProgress: (received: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const file = await open(path, 'a+', 0o600);
    const hash = new Bun.CryptoHasher('sha256');
    let received = 0;
    try {
      received = await hashFile(file, hash, blob.size, signal);
      let state = { received, hash };
      for (let breaks = 0; state.received < blob.size;) {
        const before = state.received;
        try {
          state = await fetchRest(file, blob, state, repository, onProgress, signal);
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof BrokenTransfer)) throw error;
          state = error.state;
          breaks = state.received > before ? 1 : breaks + 1;
          if (breaks >= breaksMax) {
            const code = isEngineError(error.cause, 'timeout') ? 'timeout' : 'unavailable';
            throw new EngineError(code, `Cannot fetch blob ${shortId(blob.digest)}: ${messageOf(error.cause)}`, { cause: error.cause });
          }
          await repository.transport.pause(breaks, signal);
        }
      }
      await file.sync();
      const digest = `sha256:${state.hash.digest('hex')}`;
      if (digest !== blob.digest) {
        throw new EngineError('invalidArgument', `filesystem layer verification failed for digest ${blob.digest}: its content hashes to ${digest}`);
      }
    } catch (error) {
      if (isEngineError(error, 'invalidArgument')) await rm(path, { force: true });
      throw diskError(error);
    } finally {
      await file.close();
    }
    this.blobs.adopt(path, blob.digest, blob.size);
  }
}

interface TransferState {
  readonly received: number;
  readonly hash: Bun.CryptoHasher;
}

/** The connection broke or stalled; `state` is how far it came. */
class BrokenTransfer extends Error {
  constructor(
    override readonly cause: unknown,
    readonly state: TransferState,
  ) {
    super('the transfer broke');
  }
}

async function fetchRest(
  file: FileHandle,
  blob: BlobToFetch,
  from: TransferState,
  repository: Repository,
  onProgress: (received: number) => void,
  signal: AbortSignal,
): Promise<TransferState> {
  const { response, partial } = await repository.openBlob(blob.digest, from.received, signal);
  let { received, hash } = from;
  if (!partial && received > 0) {
    await file.truncate(0);
    received = 0;
    hash = new Bun.CryptoHasher('sha256');
  }
  try {
    for await (const chunk of bodyChunks(response, signal)) {
      if (received + chunk.byteLength > blob.size) {
        throw new EngineError(
          'invalidArgument',
          `Cannot fetch blob ${shortId(blob.digest)}: it is longer than the ${blob.size} bytes the manifest says`,
        );
      }
      const writing = file.write(chunk);
      // Meanwhile the thread pool writes.
      hash.update(chunk);
      for (let at = (await writing).bytesWritten; at < chunk.byteLength;) at += (await file.write(chunk, at)).bytesWritten;
      relieveMemory(chunk.byteLength);
      received += chunk.byteLength;
      onProgress(received);
    }
  } catch (error) {
    if (isEngineError(error, 'unavailable') || isEngineError(error, 'timeout')) throw new BrokenTransfer(error, { received, hash });
    throw error;
  }
  if (received < blob.size) {
    const cause = new EngineError('unavailable', `it ended after ${received} of ${blob.size} bytes`);
    throw new BrokenTransfer(cause, { received, hash });
  }
  return { received, hash };
}

/** Hashes what is there of an earlier attempt; drops it when it is too long. */
async function hashFile(file: FileHandle, hash: Bun.CryptoHasher, sizeMax: number, signal: AbortSignal): Promise<number> {
  const { size } = await file.stat();
  if (size > sizeMax) {
    await file.truncate(0);
    return 0;
  }
  const buffer = new Uint8Array(Math.min(1024 * 1024, Math.max(1, size)));
  let at = 0;
  while (at < size) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
    if (bytesRead === 0) break;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return at;
}
