import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** inotify can run out of watches: then, and for what it misses, this often is looked anyway. */
const pollMs = 500;

/**
 * Wakes a follower of a log: when a file of its directory changes, when it is told to, and twice a second in any case.
 * A change between looking and waiting is not lost.
 */
export class LogWatch implements Disposable {
  #dirty = false;
  #resolve: (() => void) | undefined;
  #watcher: FSWatcher | undefined;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(path: string) {
    try {
      this.#watcher = watch(dirname(path), () => this.wake());
      this.#watcher.on('error', () => this.#watcher?.close());
    } catch {
      // Polling does.
    }
    this.#timer = setInterval(() => this.wake(), pollMs);
    this.#timer.unref();
  }

  readonly wake = (): void => {
    this.#dirty = true;
    this.#resolve?.();
  };

  /** To be called before looking: changes from here on end the next wait. */
  clear(): void {
    this.#dirty = false;
  }

  async wait(): Promise<void> {
    if (this.#dirty) return;
    await new Promise<void>((resolve) => {
      this.#resolve = resolve;
    });
    this.#resolve = undefined;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#watcher?.close();
    this.wake();
  }
}
