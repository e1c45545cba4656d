import { read } from 'node:fs';

/** Reads up to `length` bytes of a file at a place, not on the main thread; short only at the end of the file. */
export async function readAt(fd: number, target: Buffer, at: number, length: number, position: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const got = await new Promise<number>((resolve, reject) => {
      read(fd, target, at + done, length - done, position + done, (error, count) => (error === null ? resolve(count) : reject(error)));
    });
    if (got === 0) break;
    done += got;
  }
  return done;
}
