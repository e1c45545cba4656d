/**
 * Fail points: named places after a persisted step where a test can kill the daemon as a power cut would.
 * ISULAD_FAILPOINT=`name` or `name:N` kills the process with SIGKILL at the N-th (default first) passage of that point.
 */
const wanted = process.env['ISULAD_FAILPOINT'] ?? '';
const [wantedName = '', wantedCount = '1'] = wanted.split(':');
let left = Number(wantedCount);

export function failPoint(name: string): void {
  if (wantedName === '' || name !== wantedName) return;
  left--;
  if (left <= 0) process.kill(process.pid, 'SIGKILL');
}
