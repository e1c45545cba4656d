import { closeSync, statSync } from 'node:fs';
import { messageOf, type Logger } from '../base/index.ts';
import { sealedCopy } from '../linux/index.ts';

interface Copy {
  /** Tells when the program was replaced. */
  stamp: string;
  fd: number;
}

/**
 * crun runs from a copy of itself that a container cannot change (CVE-2019-5736): it makes one by a mount and executes itself again, at
 * every call. Run from a sealed copy in memory it is satisfied at once (libcrun/cloned_binary.c), so we keep one.
 */
export class SealedPrograms implements Disposable {
  readonly #copies = new Map<string, Copy>();

  constructor(readonly logger: Logger) {}

  /** Where the program's copy is to be executed from, while this daemon lives; the program itself where no copy can be made. */
  pathOf(program: string): string {
    try {
      const { ino, mtimeMs, size } = statSync(program);
      const stamp = `${ino}:${mtimeMs}:${size}`;
      let copy = this.#copies.get(program);
      if (copy?.stamp !== stamp) {
        if (copy) closeSync(copy.fd);
        copy = { stamp, fd: sealedCopy(program) };
        this.#copies.set(program, copy);
      }
      return `/proc/${process.pid}/fd/${copy.fd}`;
    } catch (error) {
      this.logger.warn(`Cannot keep a copy of ${program}: ${messageOf(error)}`);
      return program;
    }
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#copies.values()) closeSync(fd);
    this.#copies.clear();
  }
}
