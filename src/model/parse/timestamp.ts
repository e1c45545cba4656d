import { isEngineError } from '../../base/index.ts';
import { parseDuration } from './duration.ts';
import { invalid, shown } from './invalid.ts';

const rfc3339 = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt](\d{2})(?::(\d{2})(?::(\d{2})(\.\d{1,9})?)?)?)?(?:([Zz])|([+-])(\d{2}):(\d{2}))?$/;
const unix = /^(-?\d{1,12})(?:\.(\d{0,20}))?$/;

function parseDate(text: string): number | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, utc, sign, offsetHours, offsetMinutes] = match;
  const parts = [Number(year), Number(month) - 1, Number(day), Number(hour ?? 0), Number(minute ?? 0), Number(second ?? 0)] as const;
  const [Y, M, D, h, m, s] = parts;
  const asUtc = Date.UTC(Y, M, D, h, m, s);
  const check = new Date(asUtc);
  // Date rolls 31 April over to May; a date that does not exist is an error.
  if (check.getUTCMonth() !== M || check.getUTCDate() !== D || h > 23 || m > 59 || s > 59 || Y < 1) {
    throw invalid(`failed to parse value as time or duration: parsing time "${shown(text)}": value out of range`);
  }
  const fractionMs = Number(fraction ?? 0) * 1000;
  if (utc !== undefined) return asUtc + fractionMs;
  if (sign !== undefined) {
    const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * 60_000;
    return asUtc + fractionMs - (sign === '-' ? -offset : offset);
  }
  return new Date(Y, M, D, h, m, s).getTime() + fractionMs;
}

/** Seconds since the epoch, maybe with a fraction (`1700000000.123456789`), as ms with a fraction; undefined: no such number. */
function parseUnix(text: string): number | undefined {
  const match = unix.exec(text);
  if (match === null) return undefined;
  const [, seconds = '0', fraction = ''] = match;
  return Number(seconds) * 1000 + Number(`0.${fraction.slice(0, 9) || '0'}`) * 1000;
}

/**
 * What --since and --until take: a Unix time, RFC 3339 (also short: date only, without zone = local time), or a duration back from
 * now. Ms since the epoch, with a fraction.
 */
export function parseTimestamp(text: string, nowMs: number): number {
  if (text.trim() === '') throw invalid('failed to parse value as time or duration: value is empty');
  const date = parseDate(text) ?? parseUnix(text);
  if (date !== undefined) return date;
  try {
    return nowMs - parseDuration(text) / 1e6;
  } catch (error) {
    if (!isEngineError(error)) throw error;
    throw invalid(`failed to parse value as time or duration: "${shown(text)}"`);
  }
}

/** The form in which the API carries a time: `seconds.nanoseconds`, which `parseTimestamp` reads back. */
export function formatTimestamp(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const nanos = Math.min(999_999_999, Math.round((ms - seconds * 1000) * 1e6));
  return `${seconds}.${String(nanos).padStart(9, '0')}`;
}
