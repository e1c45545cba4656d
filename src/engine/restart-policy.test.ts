import { expect, test } from 'bun:test';
import type { RestartPolicyName } from '../model/index.ts';
import { nextRestartDelay, restartsAfterExit, startsWithDaemon } from './restart-policy.ts';

const policy = (Name: RestartPolicyName, MaximumRetryCount = 0) => ({ Name, MaximumRetryCount });
const exit = (exitCode: number, restartCount = 0, manuallyStopped = false) => ({ exitCode, restartCount, manuallyStopped });

test.each([
  [policy('no'), exit(1), false],
  [policy('always'), exit(0), true],
  [policy('always'), exit(0, 0, true), false],
  [policy('unless-stopped'), exit(1), true],
  [policy('on-failure'), exit(0), false],
  [policy('on-failure'), exit(3), true],
  [policy('on-failure', 2), exit(3, 1), true],
  [policy('on-failure', 2), exit(3, 2), false],
  [policy('on-reboot'), exit(129), true],
  [policy('on-reboot'), exit(137), false],
] as const)('%j after %j restarts: %p', (given, situation, expected) => {
  expect(restartsAfterExit(given, situation)).toBe(expected);
});

test.each([
  [policy('always'), exit(0, 0, true), true],
  [policy('unless-stopped'), exit(0, 0, true), false],
  [policy('unless-stopped'), exit(0), true],
  [policy('on-failure'), exit(1), false],
  [policy('no'), exit(1), false],
] as const)('%j with %j at the start of the daemon: %p', (given, situation, expected) => {
  expect(startsWithDaemon(given, { ...situation, everStarted: true })).toBe(expected);
  expect(startsWithDaemon(given, { ...situation, everStarted: false })).toBe(false);
});

test('the back-off doubles up to a minute and begins anew after a long run', () => {
  const delays = [0];
  for (let turn = 0; turn < 12; turn++) delays.push(nextRestartDelay(delays.at(-1) ?? 0, 5));
  expect(delays.slice(1, 5)).toEqual([100, 200, 400, 800]);
  expect(delays.at(-1)).toBe(60_000);
  expect(nextRestartDelay(60_000, 10_000)).toBe(100);
});
