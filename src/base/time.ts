/** Go's zero time, which docker shows for "never". */
export const zeroTime = '0001-01-01T00:00:00Z';

/** RFC 3339 with nanoseconds, UTC, of milliseconds since the epoch (fractions kept); 0 gives Go's zero time. */
export function formatTime(ms: number): string {
  if (ms === 0) return zeroTime;
  const whole = Math.floor(ms);
  const nanos = Math.floor((ms - Math.floor(ms / 1000) * 1000) * 1e6);
  return `${new Date(whole).toISOString().slice(0, 19)}.${String(nanos).padStart(9, '0')}Z`;
}

/** Now, in ms since the epoch, with the fraction the clock gives. */
export function nowMs(): number {
  return performance.timeOrigin + performance.now();
}
