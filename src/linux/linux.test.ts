import { afterAll, expect, test } from 'bun:test';
import { closeSync, constants, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AT_FDCWD, bindMount, isProcessRunning, lockFile, MS_RDONLY, O_PATH, openat2, ownCapabilities, ownLimit, pidfdOpen, pidfdSendSignal,
  processStartTime, processStat, RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, signalProcess, SyscallError, tryFlock, umountAll,
} from './index.ts';

const root = mkdtempSync(join(tmpdir(), 'linux-'));
afterAll(() => {
  umountAll(join(root, 'b'));
  rmSync(root, { recursive: true, force: true });
});

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof SyscallError) return error.code;
    throw error;
  }
  return '';
}

test('a failed call names the call, the path and the errno', () => {
  expect(() => bindMount('/nonexistent', root)).toThrow(`mount ${root}: no such file or directory`);
  expect(codeOf(() => bindMount('/nonexistent', root))).toBe('ENOENT');
  expect(() => openat2(AT_FDCWD, 'a\0b', 0, 0)).toThrow('NUL');
});

test('bind mounts, read-only ones too, and takes all of a stack away', () => {
  const [a, b] = [join(root, 'a'), join(root, 'b')];
  mkdirSync(a);
  mkdirSync(b);
  writeFileSync(join(a, 'f'), 'x');
  bindMount(a, b);
  bindMount(a, b, MS_RDONLY);
  expect(readFileSync(join(b, 'f'), 'utf8')).toBe('x');
  expect(() => writeFileSync(join(b, 'g'), 'x')).toThrow('EROFS');
  expect(umountAll(b)).toBe(true);
  expect(umountAll(b)).toBe(false);
  expect(umountAll(join(root, 'nowhere'))).toBe(false);
});

test('openat2 keeps a lookup inside a root', () => {
  const dir = join(root, 'in');
  mkdirSync(join(dir, 'etc'), { recursive: true });
  writeFileSync(join(dir, 'etc/passwd'), 'inside');
  symlinkSync('/etc/passwd', join(dir, 'link'));
  const fd = openSync(dir, O_PATH | constants.O_DIRECTORY);
  const file = openat2(fd, 'link', constants.O_RDONLY, RESOLVE_IN_ROOT);
  expect(readFileSync(file, 'utf8')).toBe('inside');
  closeSync(file);
  expect(codeOf(() => openat2(fd, 'link', constants.O_RDONLY, RESOLVE_BENEATH))).toBe('EXDEV');
  expect(codeOf(() => openat2(fd, 'link', constants.O_RDONLY, RESOLVE_NO_SYMLINKS))).toBe('ELOOP');
  expect(codeOf(() => openat2(fd, '../a', constants.O_RDONLY, RESOLVE_BENEATH))).toBe('EXDEV');
  closeSync(fd);
});

test('a lock file is held by one holder at a time and not inherited', () => {
  const path = join(root, 'lock');
  const first = lockFile(path);
  expect(first).toBeDefined();
  expect(lockFile(path)).toBeUndefined();
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
  const child = Bun.spawn(['sleep', '1000']);
  first?.[Symbol.dispose]();
  const again = lockFile(path);
  expect(again).toBeDefined();
  again?.[Symbol.dispose]();
  child.kill(9);
  const other = openSync(join(root, 'other'), 'w');
  expect(tryFlock(other)).toBe(true);
  closeSync(other);
});

test('signals a process only while it is the one that was meant', async () => {
  const child = Bun.spawn(['sleep', '1000']);
  const start = processStartTime(child.pid);
  if (start === undefined) throw new Error('no start time');
  expect(isProcessRunning(child.pid, start)).toBe(true);
  expect(isProcessRunning(child.pid, start + 1)).toBe(false);
  expect(processStat(child.pid)?.parentPid).toBe(process.pid);
  expect(signalProcess(child.pid, start + 1, 9)).toBe(false);
  const pidfd = pidfdOpen(child.pid);
  pidfdSendSignal(pidfd, 0);
  expect(signalProcess(child.pid, start, 9)).toBe(true);
  await child.exited;
  expect(codeOf(() => pidfdSendSignal(pidfd, 0))).toBe('ESRCH');
  closeSync(pidfd);
  expect(signalProcess(child.pid, start, 9)).toBe(false);
  expect(processStartTime(child.pid)).toBeUndefined();
});

test("reads this process's capabilities and limits", () => {
  expect(ownCapabilities('CapBnd')).toBeGreaterThanOrEqual(ownCapabilities('CapEff'));
  expect(ownLimit('Max open files')?.soft).toBeGreaterThan(0);
  expect(ownLimit('Max nonsense')).toBeUndefined();
});
