import { renameSync, statSync, unlinkSync } from 'node:fs';
import { messageOf, type Logger } from '../../base/index.ts';
import { logFilesMax } from './files.ts';

/** How often the logs that are due are looked at, and how seldom a quiet one is. */
const tickMs = 250;
const quietTicksMax = 8;
/** How often one is that would pass its size before the next tick. */
const hotMs = 25;
/** Looks at a hot one, in a row, that find it calm before it is left to the ticks: just reopened it is always small. */
const calmLooks = 20;

interface TrackedLog {
  readonly path: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
  bytes: number;
  /** When it was `bytes` long, of `performance.now()`. */
  seenMs: number;
  /** Ticks until the next look, and from one look to the next. */
  wait: number;
  every: number;
  /** The file was moved away and conmon was asked for a new one. */
  reopening: boolean;
}

export interface LogRotatorOptions {
  /** Tells conmon to open its log anew; `id` as given to `track`. */
  readonly reopen: (id: string) => Promise<void>;
  readonly logger: Logger;
}

/**
 * Rotates the logs of running containers by size: `path` becomes `path.1`, that one `path.2`, up to `maxFiles` files in
 * all; then conmon makes a new `path`. Until it does it writes to `path.1`, so nothing is lost. One timer serves all logs, by
 * one stat of those that are due: busy ones four times a second, quiet ones every two seconds. A second one runs while a log
 * grows so fast that it would be many times its size by the next tick.
 */
export class LogRotator implements Disposable {
  readonly #logs = new Map<string, TrackedLog>();
  readonly #options: LogRotatorOptions;
  /** How many calm looks each has left. */
  readonly #hot = new Map<string, number>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #hotTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: LogRotatorOptions) {
    this.#options = options;
  }

  /** From now on; a log whose rotation a crash interrupted is completed. Call it once conmon runs. */
  track(id: string, log: { path: string; maxBytes: number; maxFiles: number }): void {
    const maxFiles = Math.min(Math.max(1, log.maxFiles), logFilesMax);
    const tracked: TrackedLog = { path: log.path, maxBytes: log.maxBytes, maxFiles, bytes: -1, seenMs: 0, wait: 0, every: 1, reopening: false };
    this.#logs.set(id, tracked);
    this.#cool(id);
    // Moved away and never asked for anew: conmon, which made it before it ran, still writes to the old one.
    if (!exists(log.path)) void this.#reopen(id, tracked);
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#timer.unref();
  }

  untrack(id: string): void {
    this.#logs.delete(id);
    this.#cool(id);
    if (this.#logs.size === 0) this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#logs.clear();
    for (const id of this.#hot.keys()) this.#cool(id);
  }

  #tick(): void {
    for (const [id, log] of this.#logs) {
      if (--log.wait > 0 || this.#hot.has(id)) continue;
      this.#look(id, log);
      log.wait = log.every;
    }
  }

  #look(id: string, log: TrackedLog): void {
    try {
      const calm = this.#rotateWhenDue(id, log) ? calmLooks : (this.#hot.get(id) ?? 0) - 1;
      if (calm > 0) this.#heat(id, calm);
      else this.#cool(id);
    } catch (error) {
      this.#options.logger.warn(`Cannot rotate the log of container ${id}: ${messageOf(error)}`);
      log.every = quietTicksMax;
      this.#cool(id);
    }
  }

  /** True for a log that cannot wait for the next tick. */
  #rotateWhenDue(id: string, log: TrackedLog): boolean {
    const bytes = statSync(log.path, { throwIfNoEntry: false })?.size;
    if (bytes === undefined) {
      // Conmon is slow, or gone.
      log.every = Math.min(log.every * 2, quietTicksMax);
      void this.#reopen(id, log);
      return false;
    }
    const now = performance.now();
    // One that was not seen before may be as long as it is for hours.
    const perMs = log.bytes < 0 ? 0 : (bytes - log.bytes) / Math.max(1, now - log.seenMs);
    log.reopening = false;
    log.every = bytes === log.bytes ? Math.min(log.every * 2, quietTicksMax) : 1;
    log.bytes = bytes;
    log.seenMs = now;
    if (bytes >= log.maxBytes) {
      moveAway(log.path, log.maxFiles);
      log.bytes = 0;
      void this.#reopen(id, log);
    }
    return log.bytes + perMs * tickMs >= log.maxBytes;
  }

  #heat(id: string, calm: number): void {
    this.#hot.set(id, calm);
    if (this.#hotTimer !== undefined) return;
    this.#hotTimer = setInterval(() => {
      for (const each of this.#hot.keys()) {
        const log = this.#logs.get(each);
        if (log) this.#look(each, log);
      }
    }, hotMs);
    this.#hotTimer.unref();
  }

  #cool(id: string): void {
    this.#hot.delete(id);
    if (this.#hot.size > 0) return;
    clearInterval(this.#hotTimer);
    this.#hotTimer = undefined;
  }

  async #reopen(id: string, log: TrackedLog): Promise<void> {
    // Asked for twice, conmon would replace the file it has just begun.
    if (log.reopening) return;
    log.reopening = true;
    try {
      await this.#options.reopen(id);
    } catch (error) {
      // A conmon that is gone opens the file anew when the container starts again.
      log.reopening = false;
      if (this.#logs.get(id) === log) this.#options.logger.warn(`Cannot reopen the log of container ${id}: ${messageOf(error)}`);
    }
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Makes room for a new file, in one go: nothing else of this process runs in between. */
function moveAway(path: string, maxFiles: number): void {
  if (maxFiles === 1) {
    unlinkSync(path);
    return;
  }
  // Only up to a gap that a crash left: the files behind it need not move.
  let count = 0;
  while (count < maxFiles - 1 && exists(`${path}.${count + 1}`)) count++;
  for (let number = Math.min(count, maxFiles - 2); number >= 1; number--) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
  renameSync(path, `${path}.1`);
}
