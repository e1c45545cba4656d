import { closeSync, fstatSync } from 'node:fs';
import { nowMs, type OutputSink, type OutputStream } from '../../base/index.ts';
import type { LogOptions } from '../types.ts';
import { LogDelivery } from './deliver.ts';
import { openLogFile, openNext, type OpenLog } from './files.ts';
import { readAt } from './read-at.ts';
import { recordBytesMax, RecordView } from './record.ts';
import { findTail, type LogPosition } from './tail.ts';
import { LogWatch } from './watch.ts';

const blockBytes = 256 * 1024;
const newline = 10;

export interface ReadLogsRequest {
  /** The file that conmon writes; `path.1` and so on are what it wrote before. */
  readonly path: string;
  readonly options: LogOptions;
  /** What `options.details` puts before each line (see `logDetails`). */
  readonly details: string;
  readonly sink: OutputSink;
  readonly signal: AbortSignal;
  /** True once no more output can come: following ends when what is there was delivered. */
  readonly ended: () => boolean;
  /** Registers a callback for when `ended` may have changed; gives how to take it back. */
  readonly onChange?: (wake: () => void) => () => void;
}

/**
 * Delivers a container's log, and follows it through rotations and restarts: nothing twice, nothing left out as long as the
 * reader is not so slow that the rotator drops files it has not reached. Reads no more than the sink takes. The sink is not
 * ended: its owner may have more for it. Resolves when all was delivered or the signal aborted.
 */
export async function readLogs(request: ReadLogsRequest): Promise<void> {
  if (request.signal.aborted || (!request.options.stdout && !request.options.stderr && !request.options.follow)) return;
  using reader = new LogReader(request);
  await reader.run();
}

class LogReader implements Disposable {
  readonly #request: ReadLogsRequest;
  readonly #delivery: LogDelivery;
  readonly #view = new RecordView();
  readonly #aborted: Promise<void>;
  #block = Buffer.alloc(blockBytes);
  /** Bytes in the block that no record was made of yet. */
  #held = 0;
  /** Inside a line that is too long to be a record. */
  #skipping = false;
  #log: OpenLog | undefined;
  /** Where in the file the block's end comes from. */
  #offset = 0;
  /** The file's place in the count that `#from` is in. */
  #file = 0;
  #from: Readonly<Record<OutputStream, LogPosition>> | undefined;

  constructor(request: ReadLogsRequest) {
    this.#request = request;
    this.#delivery = new LogDelivery(request.options, request.details, request.sink);
    this.#aborted = new Promise((resolve) => request.signal.addEventListener('abort', () => resolve(), { once: true }));
  }

  get #stopped(): boolean {
    return this.#request.signal.aborted || this.#delivery.past;
  }

  async run(): Promise<void> {
    const { options } = this.#request;
    if (options.follow) return this.#follow();
    // A log may grow faster than it is read: what is there now is what is asked for.
    const newest = openLogFile(this.#request.path, (files) => files.at(-1));
    if (newest === undefined) return;
    const end = { inode: newest.inode, offset: fstatSync(newest.fd).size };
    try {
      await this.#begin();
      while (!this.#stopped) {
        const last = this.#log?.inode === end.inode;
        await this.#readOn(last ? end.offset : Infinity);
        if (last || !this.#advance()) break;
      }
      await this.#settle(this.#delivery.flush());
    } finally {
      closeSync(newest.fd);
    }
  }

  async #follow(): Promise<void> {
    const { path, options, ended, onChange, signal } = this.#request;
    using watch = new LogWatch(path);
    const unregister = onChange?.(watch.wake);
    signal.addEventListener('abort', watch.wake);
    try {
      await this.#begin();
      while (!this.#stopped) {
        watch.clear();
        const last = ended() || (options.until !== undefined && nowMs() > options.until);
        if (this.#log === undefined) this.#open(openLogFile(path, (files) => files[0]));
        await this.#readOn(Infinity);
        if (this.#stopped) break;
        if (await this.#next()) continue;
        await this.#settle(this.#delivery.flush());
        if (last) break;
        await watch.wait();
      }
      if (!signal.aborted) await this.#settle(this.#delivery.flush());
    } finally {
      signal.removeEventListener('abort', watch.wake);
      unregister?.();
    }
  }

  /** Opens the file in which the first wanted record stands. */
  async #begin(): Promise<void> {
    const { path, options } = this.#request;
    if (options.tail !== undefined) {
      const start = await findTail(path, options, options.tail);
      if (start === undefined) return;
      this.#open(start.log);
      this.#file = start.file;
      this.#offset = start.offset;
      this.#from = start.from;
      return;
    }
    const since = options.since ?? 0;
    // A file last written before `since` holds nothing of it; file times are coarser than the log's.
    this.#open(openLogFile(path, (files) => files.find((file) => file.modifiedMs + 1000 >= since) ?? files.at(-1)));
  }

  #open(log: OpenLog | undefined): void {
    if (this.#log !== undefined) closeSync(this.#log.fd);
    this.#log = log;
    this.#offset = 0;
    this.#held = 0;
    this.#skipping = false;
  }

  #advance(): boolean {
    const next = this.#log === undefined ? undefined : openNext(this.#request.path, this.#log.inode);
    if (next === undefined) return false;
    this.#open(next);
    this.#file++;
    return true;
  }

  /** Goes to the file that follows, if there is one; what came into this one before it was made is read first. */
  async #next(): Promise<boolean> {
    const next = this.#log === undefined ? undefined : openNext(this.#request.path, this.#log.inode);
    if (next === undefined) return false;
    try {
      await this.#readOn(Infinity);
    } catch (error) {
      closeSync(next.fd);
      throw error;
    }
    this.#open(next);
    this.#file++;
    return true;
  }

  /** Reads and delivers up to the file's end, or the given place in it. */
  async #readOn(limit: number): Promise<void> {
    const log = this.#log;
    while (log !== undefined && !this.#stopped && this.#offset < limit) {
      if (this.#held === this.#block.length) this.#makeRoom();
      const room = Math.min(this.#block.length - this.#held, limit - this.#offset);
      const got = await readAt(log.fd, this.#block, this.#held, room, this.#offset);
      if (got === 0) {
        if (fstatSync(log.fd).size >= this.#offset) return;
        // Someone truncated the file: conmon appends at its new end.
        this.#offset = 0;
        this.#held = 0;
        continue;
      }
      this.#offset += got;
      await this.#deliver(this.#held + got);
    }
  }

  /** One line fills the block: a larger block, or up to the limit of what a record may be. */
  #makeRoom(): void {
    if (this.#block.length >= recordBytesMax) {
      this.#skipping = true;
      this.#held = 0;
      return;
    }
    const larger = Buffer.alloc(this.#block.length * 2);
    this.#block.copy(larger);
    this.#block = larger;
  }

  async #deliver(length: number): Promise<void> {
    const block = this.#block;
    const blockStart = this.#offset - length;
    // What was held has no newline in it.
    let start = 0;
    for (let end = block.indexOf(newline, this.#held); end >= 0 && end < length; end = block.indexOf(newline, start)) {
      if (this.#skipping) this.#skipping = false;
      else if (this.#view.parse(block, start, end) && this.#wanted(blockStart + start)) {
        const pending = this.#delivery.record(this.#view, block, end);
        if (pending !== undefined) await this.#settle(pending);
        if (this.#stopped) return;
      }
      start = end + 1;
    }
    block.copyWithin(0, start, length);
    this.#held = length - start;
  }

  #wanted(offset: number): boolean {
    const from = this.#from?.[this.#view.stream];
    return from === undefined || this.#file > from.file || (this.#file === from.file && offset >= from.offset);
  }

  /** Waits for the sink, unless the reader is gone. */
  async #settle(pending: Promise<void> | undefined): Promise<void> {
    if (pending !== undefined) await Promise.race([pending, this.#aborted]);
  }

  [Symbol.dispose](): void {
    this.#open(undefined);
  }
}
