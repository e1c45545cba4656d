import { write as writeAsync, writeSync } from 'node:fs';
import { errnoOf } from '../../base/index.ts';
import { widen } from './input.ts';

/** What a shell shows for a process that SIGPIPE ended; the reader of our output is gone. */
const sigpipeExit = 141;
/** A descriptor that another process made non-blocking answers EAGAIN: pause so long before the next try. */
const retryMs = 1;
/** A chunk of this size is part of a long stream. */
const longChunkBytes = 64 * 1024;
const widened = new Set<number>();

/** Writes text to standard output at once; what is printed is out when the process ends. */
export function print(text: string): void {
  writeNow(1, text);
}

/** Writes text to standard error. */
export function printError(text: string): void {
  writeNow(2, text);
}

function writeNow(fd: 1 | 2, text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at);
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') leave(fd, error);
      Bun.sleepSync(retryMs);
    }
  }
}

/**
 * Writes bytes without stopping the event loop: a blocked pipe must not stop signals and input. Resolves when the kernel
 * took all.
 */
export async function writeAll(fd: 1 | 2, bytes: Uint8Array): Promise<void> {
  if (bytes.length >= longChunkBytes && !widened.has(fd)) {
    widened.add(fd);
    await widen(fd);
  }
  for (let at = 0; at < bytes.length;) {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    writeAsync(fd, bytes, at, bytes.length - at, null, (error, written) => (error ? reject(error) : resolve(written)));
    try {
      at += await promise;
    } catch (error) {
      if (errnoOf(error) !== 'EAGAIN') leave(fd, error);
      await Bun.sleep(retryMs);
    }
  }
}

function leave(fd: 1 | 2, error: unknown): void {
  // Nobody reads standard output any more: end quietly, as a program does that SIGPIPE kills.
  if (errnoOf(error) === 'EPIPE') process.exit(sigpipeExit);
  if (fd === 2) process.exit(1);
  throw error;
}
