import type { OutputSink, OutputStream } from '../base/index.ts';

/** Collects output; `slow` makes every write wait. */
export class Collector implements OutputSink {
  readonly text: Record<OutputStream, string> = { 1: '', 2: '' };
  bytes = 0;
  readonly ended = Promise.withResolvers<void>();
  readonly #waiting: { needle: string; resolve: () => void }[] = [];

  constructor(readonly countOnly = false) {}

  write(stream: OutputStream, chunk: Uint8Array): undefined {
    this.bytes += chunk.length;
    if (this.countOnly) return undefined;
    this.text[stream] += Buffer.from(chunk).toString('utf8');
    for (const { needle, resolve } of this.#waiting) if (this.text[stream].includes(needle)) resolve();
    return undefined;
  }

  /** Resolves once the text was seen on either stream. */
  seen(needle: string): Promise<void> {
    if (this.text[1].includes(needle) || this.text[2].includes(needle)) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ needle, resolve }));
  }

  end(): void {
    this.ended.resolve();
  }

  fail(error: Error): void {
    this.ended.reject(error);
  }
}
