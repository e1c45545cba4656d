import type { OutputSink, OutputStream } from '../../base/index.ts';
import type { LogOptions } from '../types.ts';
import type { RecordView } from './record.ts';

/** Neighbouring records of one stream go to the sink together, up to this many bytes. */
const bufferBytes = 64 * 1024;
const newline = 10;

interface StreamState {
  wanted: boolean;
  /** The last record was partial: its line goes on. */
  open: boolean;
  /** The line that goes on is inside the bounds of time. */
  shown: boolean;
}

/** Turns records into what docker's logs sends: chooses streams and times, puts prefixes before lines, joins partial records. */
export class LogDelivery {
  readonly #buffer = Buffer.alloc(bufferBytes);
  #length = 0;
  #stream: OutputStream = 1;
  readonly #sink: OutputSink;
  readonly #options: LogOptions;
  readonly #details: string;
  readonly #streams: Record<OutputStream, StreamState>;
  /** A record later than `until` came: nothing more is wanted. */
  past = false;

  /** `details`: the text before each line where `options.details` asks for it, without the space. */
  constructor(options: LogOptions, details: string, sink: OutputSink) {
    this.#options = options;
    this.#details = options.details ? `${details} ` : '';
    this.#sink = sink;
    this.#streams = { 1: { wanted: options.stdout, open: false, shown: true }, 2: { wanted: options.stderr, open: false, shown: true } };
  }

  wants(stream: OutputStream): boolean {
    return this.#streams[stream].wanted;
  }

  /** Takes one record, whose content ends at `end`; undefined: ready for the next one at once. */
  record(view: RecordView, bytes: Buffer, end: number): Promise<void> | undefined {
    const state = this.#streams[view.stream];
    if (!state.wanted) return undefined;
    let prefix = '';
    if (!state.open) {
      const { since, until, timestamps } = this.#options;
      state.shown = true;
      if (since !== undefined || until !== undefined) {
        const time = view.timeMs();
        if (until !== undefined && time > until) {
          this.past = true;
          return undefined;
        }
        if (since !== undefined && time < since) state.shown = false;
      }
      if (state.shown) prefix = (timestamps ? `${view.timestamp()} ` : '') + this.#details;
    }
    state.open = view.partial;
    return state.shown ? this.#put(view, prefix, bytes, end) : undefined;
  }

  #put(view: RecordView, prefix: string, bytes: Buffer, end: number): Promise<void> | undefined {
    const content = bytes.subarray(view.contentStart, end);
    const { stream, partial } = view;
    const append = (): void => {
      this.#stream = stream;
      if (prefix !== '') this.#length += this.#buffer.write(prefix, this.#length);
      this.#length += content.copy(this.#buffer, this.#length);
      if (!partial) this.#buffer[this.#length++] = newline;
    };
    const size = Buffer.byteLength(prefix) + content.length + 1;
    if (size > bufferBytes) return this.#putLarge(stream, Buffer.concat([Buffer.from(prefix), content, Buffer.from(partial ? '' : '\n')]));
    const flushed = this.#length > 0 && (this.#stream !== stream || this.#length + size > bufferBytes) ? this.flush() : undefined;
    if (flushed !== undefined) return flushed.then(append);
    append();
    return undefined;
  }

  async #putLarge(stream: OutputStream, chunk: Buffer): Promise<void> {
    await this.flush();
    await this.#sink.write(stream, chunk);
  }

  /** Hands on what is gathered. */
  flush(): Promise<void> | undefined {
    if (this.#length === 0) return undefined;
    const chunk = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return this.#sink.write(this.#stream, chunk);
  }
}
