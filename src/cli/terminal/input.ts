import { closeSync, openSync, read } from 'node:fs';
import { errnoOf } from '../../base/index.ts';

const chunkBytes = 64 * 1024;
/** Once a whole chunk came at a time, it is a long stream: fewer and larger turns. */
const longChunkBytes = 256 * 1024;
const retryMs = 10;

/**
 * Standard input, or a file's bytes, read in a thread: works for files, pipes and terminals alike, with backpressure. A chunk is valid until
 * the next one is asked for.
 */
export function byteReader(fd: number): () => Promise<Uint8Array | undefined> {
  let buffer = new Uint8Array(chunkBytes);
  return async () => {
    for (;;) {
      try {
        const { promise, resolve, reject } = Promise.withResolvers<number>();
        read(fd, buffer, 0, buffer.length, null, (error, count) => (error ? reject(error) : resolve(count)));
        const count = await promise;
        const chunk = buffer.subarray(0, count);
        if (count === chunkBytes && buffer.length === chunkBytes) {
          buffer = new Uint8Array(longChunkBytes);
          await widen(fd);
        }
        return count === 0 ? undefined : chunk;
      } catch (error) {
        // EIO: the terminal is gone.
        if (errnoOf(error) === 'EIO') return undefined;
        if (errnoOf(error) !== 'EAGAIN' && errnoOf(error) !== 'EINTR') throw error;
        await Bun.sleep(retryMs);
      }
    }
  };
}

/** Loaded only for long streams: most commands never read one. */
export async function widen(fd: number): Promise<void> {
  const { widenPipe } = await import('../../linux/index.ts');
  widenPipe(fd);
}

/** A file's bytes; closed at its end, or when the process ends. */
export function fileReader(path: string): () => Promise<Uint8Array | undefined> {
  const fd = openSync(path, 'r');
  const next = byteReader(fd);
  let open = true;
  return async () => {
    if (!open) return undefined;
    const chunk = await next();
    if (chunk === undefined) {
      open = false;
      closeSync(fd);
    }
    return chunk;
  };
}

/** All of standard input as text, at most so many bytes. */
export async function readStdin(limitBytes: number): Promise<string> {
  const next = byteReader(0);
  const decoder = new TextDecoder();
  let text = '';
  let size = 0;
  for (let chunk = await next(); chunk !== undefined; chunk = await next()) {
    size += chunk.length;
    if (size > limitBytes) throw new RangeError(`standard input is longer than ${limitBytes} bytes`);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}
