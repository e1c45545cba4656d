import type { OutputStream } from '../../base/index.ts';

/**
 * One record of conmon's k8s-file log, a line of the form
 *   2026-01-02T03:04:05.123456789+00:00 stdout F content
 * `F`: the content ends a line of output; `P`: the line goes on in the stream's next record. The content is any bytes but a
 * newline. A view is reused for every record: reading a log makes no garbage per line.
 */
export class RecordView {
  stream: OutputStream = 1;
  partial = false;
  /** Where the content begins; it ends where the line does. */
  contentStart = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #timeStart = 0;
  #timeEnd = 0;
  #cachedSeconds = '';
  #cachedMs = 0;

  /** Reads the line [start, end) (without its newline). False: it is no record (what a power cut left). */
  parse(bytes: Buffer, start: number, end: number): boolean {
    // A power cut, or a truncation by hand under an open file, leaves zeros.
    while (start < end && bytes[start] === 0) start++;
    const space = bytes.indexOf(32, start);
    // `std???` and the tag stand behind the time: ` stdout F `.
    const content = space + 10;
    if (space < start + timeMin || space > start + timeMax || content > end) return false;
    if (bytes[space + 1] !== 115 || bytes[space + 2] !== 116 || bytes[space + 3] !== 100 || bytes[space + 7] !== 32 || bytes[space + 9] !== 32) {
      return false;
    }
    const which = bytes[space + 4];
    const tag = bytes[space + 8];
    if ((which !== 111 && which !== 101) || (tag !== 70 && tag !== 80)) return false;
    this.stream = which === 111 ? 1 : 2;
    this.partial = tag === 80;
    this.contentStart = content;
    this.#bytes = bytes;
    this.#timeStart = start;
    this.#timeEnd = space;
    return true;
  }

  /** The record's time, ms since the epoch with its fraction; NaN when it is none. */
  timeMs(): number {
    const { ms, fraction } = this.#time();
    return ms + Number(`0.${fraction}`) * 1000;
  }

  /** The record's time as docker prints it: UTC, nine digits of fraction. */
  timestamp(): string {
    const { ms, fraction } = this.#time();
    if (Number.isNaN(ms)) return '0001-01-01T00:00:00.000000000Z';
    return `${new Date(ms).toISOString().slice(0, 19)}.${fraction}Z`;
  }

  #time(): { ms: number; fraction: string } {
    const text = this.#bytes.toString('latin1', this.#timeStart, this.#timeEnd);
    const match = /^(.{19})(?:\.([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})$/.exec(text);
    if (match === null) return { ms: NaN, fraction: '000000000' };
    const [, seconds = '', fraction = '', zone = ''] = match;
    const whole = seconds + zone;
    if (whole !== this.#cachedSeconds) {
      this.#cachedSeconds = whole;
      this.#cachedMs = Date.parse(whole);
    }
    return { ms: this.#cachedMs, fraction: fraction.padEnd(9, '0') };
  }
}

/** Shortest and longest time a record may begin with: `2026-01-02T03:04:05Z` and with nine digits and a zone. */
const timeMin = 20;
const timeMax = 40;

/** A line of a log longer than this is damage: conmon writes at most 8 KiB and a header. */
export const recordBytesMax = 1024 * 1024;
