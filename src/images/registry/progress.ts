import type { ProgressSink } from '../types.ts';
import type { DownloadWatcher } from './download.ts';

/** Between two messages of one layer, ms: what a terminal can show. */
const intervalMs = 100;

/** The progress messages of one layer, in docker's words; not more often than a terminal can show. */
export class LayerProgress implements DownloadWatcher {
  #lastAt = 0;

  constructor(
    private readonly id: string,
    private readonly total: number,
    private readonly sink: ProgressSink,
  ) {}

  say(status: string): void {
    this.sink({ status, progressDetail: {}, id: this.id });
  }

  waiting(): void {
    this.say('Waiting');
  }

  started(): void {
    this.#send('Downloading', 0, true);
  }

  progress(received: number): void {
    this.#send('Downloading', received, received === this.total);
  }

  extracting(read: number): void {
    this.#send('Extracting', read, read === this.total);
  }

  pushing(sent: number): void {
    this.#send('Pushing', sent, sent === this.total);
  }

  #send(status: string, current: number, now: boolean): void {
    const at = performance.now();
    if (!now && at - this.#lastAt < intervalMs) return;
    this.#lastAt = at;
    this.sink({ status, progressDetail: { current, total: this.total }, progress: bar(current, this.total), id: this.id });
  }
}

const barWidth = 50;

/** `[=====>   ]  3.2MB/10MB`, as docker draws it. */
function bar(current: number, total: number): string {
  if (total <= 0) return size(current);
  const done = Math.min(barWidth, Math.floor((current / total) * barWidth));
  const head = done < barWidth ? '>' : '';
  return `[${'='.repeat(done)}${head}${' '.repeat(Math.max(0, barWidth - done - head.length))}] ${size(current).padStart(8)}/${size(total)}`;
}

function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${Number(value.toPrecision(4))}${units[unit] ?? ''}`;
}
