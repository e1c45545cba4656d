import { invalid, shown } from './invalid.ts';

/** Nanoseconds per unit (Go: time.ParseDuration); both signs for micro. */
const unitNanos: Record<string, number> = { ns: 1, us: 1e3, 'µs': 1e3, 'μs': 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
/** Longest text that is read. */
const maxLength = 200;

/**
 * A duration in Go's grammar: `1h30m`, `1.5s`, `-10ms`, `0`. Nanoseconds, inside int64.
 * @throws invalidArgument in Go's words.
 */
export function parseDuration(text: string): number {
  const bad = invalid(`time: invalid duration "${shown(text)}"`);
  if (text.length > maxLength) throw bad;
  const negative = text.startsWith('-');
  const body = negative || text.startsWith('+') ? text.slice(1) : text;
  if (body === '0') return 0;
  const step = /([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]*)/y;
  let nanos = 0;
  if (body === '') throw bad;
  while (step.lastIndex < body.length) {
    const match = step.exec(body);
    if (match === null) throw bad;
    const [, number = '', unit = ''] = match;
    if (unit === '') throw invalid(`time: missing unit in duration "${shown(text)}"`);
    const size = Object.hasOwn(unitNanos, unit) ? unitNanos[unit] : undefined;
    if (size === undefined) throw invalid(`time: unknown unit "${shown(unit)}" in duration "${shown(text)}"`);
    nanos += Number(number) * size;
  }
  // Rounded: 0.1 s times 1e9 must be 100000000, not what the binary fraction makes of it.
  nanos = Math.round(nanos);
  if (nanos >= 2 ** 63) throw bad;
  return negative && nanos !== 0 ? -nanos : nanos;
}

/** Go's form of a duration of whole nanoseconds: `1h30m0s`, `250ms`, `0s`. */
export function formatDuration(nanos: number): string {
  const sign = nanos < 0 ? '-' : '';
  const size = Math.abs(nanos);
  if (size === 0) return '0s';
  const trim = (value: number, digits: number): string => value.toFixed(digits).replace(/\.?0+$/, '');
  if (size < 1e3) return `${sign}${size}ns`;
  if (size < 1e6) return `${sign}${size % 1e3 === 0 ? size / 1e3 : trim(size / 1e3, 3)}µs`;
  if (size < 1e9) return `${sign}${size % 1e6 === 0 ? size / 1e6 : trim(size / 1e6, 6)}ms`;
  const hours = Math.floor(size / 3600e9);
  const minutes = Math.floor((size % 3600e9) / 60e9);
  const rest = size % 60e9;
  const seconds = `${Math.floor(rest / 1e9)}${rest % 1e9 === 0 ? '' : `.${String(rest % 1e9).padStart(9, '0').replace(/0+$/, '')}`}s`;
  return `${sign}${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}`;
}
