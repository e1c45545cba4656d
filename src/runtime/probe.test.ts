import { expect, test } from 'bun:test';
import { chooseRuntime, crunRefusal, takesSeccompProgram } from './probe.ts';

const crun = { path: '/usr/bin/crun', version: 'crun version 1.8.1' };
const runc = { path: '/usr/sbin/runc', version: 'runc version 1.1.5' };
const hybrid = { version: 1 as const, hybrid: true, mounts: new Map([['', '/sys/fs/cgroup/unified']]), controllers: new Set<string>() };

test('crun where it supports the host, else runc, and why', () => {
  expect(crunRefusal(hybrid, '')).toBeUndefined();
  expect(crunRefusal({ ...hybrid, version: 2, hybrid: false }, 'cpu memory')).toBeUndefined();
  const refusal = crunRefusal(hybrid, 'hugetlb rdma\n');
  expect(refusal).toContain('(hugetlb, rdma)');
  expect(chooseRuntime(crun, runc, undefined).name).toBe('crun');
  expect(chooseRuntime(crun, runc, refusal)).toMatchObject({ name: 'runc', reason: refusal });
  expect(chooseRuntime(undefined, runc, undefined).reason).toBe('crun is not installed');
  expect(() => chooseRuntime(undefined, undefined, undefined)).toThrow('neither crun nor runc');
});

test('a compiled seccomp filter is for a crun that knows it', () => {
  const answers = ['crun version 1.8.1', 'crun version 0.18', 'crun version 0.19.1', 'runc version 1.1.5', ''].map(takesSeccompProgram);
  expect(answers).toEqual([true, false, true, false, false]);
});
