import { humanDuration } from '../../base/index.ts';

/** Sizes and durations in the words docker prints (go-units: HumanSize, BytesSize, HumanDuration). */

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB'];
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

/** Go's %.Ng: so many significant digits, no trailing zeros. */
function significant(value: number, digits: number): string {
  if (value === 0) return '0';
  const text = value.toPrecision(digits);
  // toPrecision writes 1.2e+3 where the digits do not reach the unit; %g does so from exponent = digits on.
  if (text.includes('e')) {
    const [mantissa = '', exponent = ''] = text.split('e');
    return `${trimZeros(mantissa)}e${exponent.replace(/^([+-])(\d)$/, '$10$2')}`;
  }
  return trimZeros(text);
}

function trimZeros(text: string): string {
  return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
}

function scaled(bytes: number, base: number, units: readonly string[], digits: number, space: string): string {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${significant(value, digits)}${space}${units[unit] ?? ''}`;
}

/** `1.23MB`: powers of 1000. */
export function humanSize(bytes: number, digits = 3): string {
  return scaled(bytes, 1000, decimalUnits, digits, '');
}

/** `1.273 MB`, as the guide's image list shows sizes. */
export function spacedSize(bytes: number): string {
  return scaled(bytes, 1000, decimalUnits, 4, ' ');
}

/** `77.08MiB`: powers of 1024. */
export function binarySize(bytes: number): string {
  return scaled(bytes, 1024, binaryUnits, 4, '');
}

/** `13 minutes ago`. */
export function ago(thenMs: number, nowMs = Date.now()): string {
  return `${humanDuration(Math.max(0, nowMs - thenMs))} ago`;
}

/** A moment of the API (RFC 3339) as ms since the epoch; undefined for Go's zero time and anything else. */
export function momentOf(text: string): number | undefined {
  if (text === '' || text.startsWith('0001-')) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

/** `2018-03-01 10:55:44` in local time. */
export function localTime(ms: number): string {
  const date = new Date(ms);
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Offset of local time, `+0800`. */
function zone(date: Date, colon: string): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${colon}${two(size % 60)}`;
}

/** Docker's CreatedAt: `2018-03-01 10:55:44 +0800 CST`. */
export function goTime(ms: number): string {
  const date = new Date(ms);
  const name = date.getTimezoneOffset() === 0 ? 'UTC' : (/\(([A-Z]{2,5})\)/.exec(date.toString())?.[1] ?? zone(date, '').slice(0, 3));
  return `${localTime(ms)} ${zone(date, '')} ${name}`;
}

/** RFC 3339 in local time with nanoseconds, as `events` prints: from whole nanoseconds since the epoch. */
export function rfc3339Nano(seconds: number, nanoseconds: number): string {
  const date = new Date(seconds * 1000);
  const offset = date.getTimezoneOffset() === 0 ? 'Z' : zone(date, ':');
  return `${localTime(seconds * 1000).replace(' ', 'T')}.${String(nanoseconds).padStart(9, '0')}${offset}`;
}
