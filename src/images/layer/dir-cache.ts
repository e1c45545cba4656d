import { closeSync } from 'node:fs';

/** Directories that stay open while an archive is unpacked. */
const openMax = 64;

/** Descriptors of directories by their raw paths below the target; the least recently used is closed first. */
export class DirCache implements Disposable {
  readonly #fds = new Map<string, number>();

  get(path: string): number | undefined {
    const fd = this.#fds.get(path);
    if (fd === undefined) return undefined;
    this.#fds.delete(path);
    this.#fds.set(path, fd);
    return fd;
  }

  add(path: string, fd: number): void {
    this.#fds.set(path, fd);
    if (this.#fds.size <= openMax) return;
    for (const [oldest, oldestFd] of this.#fds) {
      this.#fds.delete(oldest);
      closeSync(oldestFd);
      break;
    }
  }

  /** A directory or a link was taken away or replaced: what the paths lead to may have changed. */
  clear(): void {
    for (const fd of this.#fds.values()) closeSync(fd);
    this.#fds.clear();
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}
