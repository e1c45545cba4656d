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

/** A duration in the words docker uses (go-units: HumanDuration): `5 seconds`, `About a minute`, `3 hours`. */
export function humanDuration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}
