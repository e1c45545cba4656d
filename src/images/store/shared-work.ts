interface Work<T> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  waiters: number;
}

/**
 * Work that several ask for at once is done once: the first request starts it, the others wait for the same result.
 * One who gives up leaves the others alone; when the last one has left, the work is aborted.
 */
export class SharedWork<Key, T> {
  readonly #running = new Map<Key, Work<T>>();

  has(key: Key): boolean {
    return this.#running.has(key);
  }

  async run(key: Key, signal: AbortSignal, task: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (;;) {
      signal.throwIfAborted();
      const running = this.#running.get(key);
      if (running && running.controller.signal.aborted) {
        // All who wanted it have left and it is winding down: wait for its end, then begin anew.
        await running.result.catch(() => undefined);
        continue;
      }
      return this.#wait(running ?? this.#start(key, task), signal);
    }
  }

  #start(key: Key, task: (signal: AbortSignal) => Promise<T>): Work<T> {
    const controller = new AbortController();
    const result = task(controller.signal).finally(() => this.#running.delete(key));
    result.catch(() => undefined);
    const work: Work<T> = { result, controller, waiters: 0 };
    this.#running.set(key, work);
    return work;
  }

  async #wait(work: Work<T>, signal: AbortSignal): Promise<T> {
    work.waiters++;
    let onAbort = (): void => undefined;
    const aborted = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
    });
    try {
      return await Promise.race([work.result, aborted]);
    } finally {
      signal.removeEventListener('abort', onAbort);
      work.waiters--;
      if (work.waiters === 0) work.controller.abort(signal.reason);
    }
  }
}
