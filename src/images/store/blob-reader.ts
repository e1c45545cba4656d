import { open } from 'node:fs/promises';

/** One is being used, one read, and the one before may still be looked at (`TarReader` keeps its rest until it is fed again). */
const buffersInTurn = 3;
const bufferBytes = 512 * 1024;

/**
 * A file's content, always in the same few buffers: hundreds of megabytes pass without anything to collect. A chunk is valid until the
 * next but one is asked for. The thread pool reads one chunk ahead.
 */
export async function* readInTurn(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, 'r');
  const buffers = Array.from({ length: buffersInTurn }, () => Buffer.allocUnsafeSlow(bufferBytes));
  const read = async (turn: number, offset: number): Promise<Uint8Array> => {
    const buffer = buffers[turn % buffersInTurn] ?? Buffer.alloc(bufferBytes);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    return buffer.subarray(0, bytesRead);
  };
  let next = read(0, 0);
  try {
    for (let turn = 1, offset = 0; ; turn++) {
      const chunk = await next;
      if (chunk.length === 0) return;
      offset += chunk.length;
      next = read(turn, offset);
      // It is awaited when the next chunk is wanted, or below.
      next.catch(() => undefined);
      yield chunk;
    }
  } finally {
    await next.catch(() => undefined);
    await file.close();
  }
}
