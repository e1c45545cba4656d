import { expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileSeccomp } from '../linux/index.ts';
import {
  capabilitiesOfMask, containerCapabilities, defaultSeccompProfile, loadSeccompProfile, parseSeccompProfile, resolveSeccomp,
} from './index.ts';

const facts = { architecture: 'amd64', kernelRelease: '6.1.0', capabilities: new Set<string>() };

test('the default set is the guide\'s, and docker\'s mask', () => {
  const names = containerCapabilities({ add: [], drop: [], privileged: false });
  expect(names).toEqual([...capabilitiesOfMask(0xa80425fbn)]);
});

test('add and drop, with ALL, any case, with and without CAP_', () => {
  const of = (add: string[], drop: string[]) => containerCapabilities({ add, drop, privileged: false });
  expect(of([], ['all'])).toEqual([]);
  expect(of(['net_admin', 'CAP_SYS_TIME'], ['ALL'])).toEqual(['CAP_NET_ADMIN', 'CAP_SYS_TIME']);
  expect(of(['ALL'], ['sys_admin'])).toHaveLength(40);
  expect(of([], ['Chown'])).not.toContain('CAP_CHOWN');
  expect(containerCapabilities({ add: [], drop: ['CHOWN'], privileged: true })).toHaveLength(41);
  expect(() => of([], ['bogus'])).toThrow('unknown capability: "CAP_BOGUS"');
});

test('the default profile: conditions are decided by capability, architecture and kernel', () => {
  const allows = (filter: ReturnType<typeof resolveSeccomp>, name: string): boolean => (
    filter.syscalls?.some((rule) => rule.names.includes(name) && rule.action === 'SCMP_ACT_ALLOW' && !rule.args) ?? false
  );
  const plain = resolveSeccomp(defaultSeccompProfile(), facts);
  expect([allows(plain, 'read'), allows(plain, 'mount'), allows(plain, 'arch_prctl'), allows(plain, 'ptrace')]).toEqual([true, false, true, true]);
  expect(plain.architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32']);
  const admin = resolveSeccomp(defaultSeccompProfile(), { ...facts, kernelRelease: '4.4.0', capabilities: new Set(['CAP_SYS_ADMIN']) });
  expect([allows(admin, 'mount'), allows(admin, 'clone3'), allows(admin, 'ptrace')]).toEqual([true, true, false]);
});

test('it compiles to a program that the kernel takes, the same each time', () => {
  const filter = resolveSeccomp(defaultSeccompProfile(), facts);
  const program = compileSeccomp(filter);
  // Undefined where the machine has no libseccomp.
  if (program === undefined) return;
  expect(program.length % 8).toBe(0);
  expect(program.length / 8).toBeLessThan(4096);
  expect(compileSeccomp(filter)?.equals(program)).toBe(true);
});

test('a profile of the guide\'s form (name, value_two) is read', () => {
  const profile = parseSeccompProfile(JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [
      { name: 'chmod', action: 'SCMP_ACT_ERRNO', args: null },
      { name: 'clone', action: 'SCMP_ACT_ERRNO', args: [{ index: 0, value: 1, value_two: 2, op: 'SCMP_CMP_MASKED_EQ' }] },
    ],
  }));
  expect(profile.syscalls[0]).toEqual({ names: ['chmod'], action: 'SCMP_ACT_ERRNO' });
  expect(profile.syscalls[1]?.args).toEqual([{ index: 0, value: 1, valueTwo: 2, op: 'SCMP_CMP_MASKED_EQ' }]);
});

const broken: [text: string, message: string][] = [
  ['{', 'Decoding seccomp profile failed'],
  ['[]', 'want a JSON object'],
  ['{}', 'defaultAction: action is empty'],
  ['{"defaultAction":"X"}', 'unknown action "X"'],
  ['{"defaultAction":"SCMP_ACT_NOTIFY"}', 'needs a listener'],
  ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"action":"SCMP_ACT_ERRNO"}]}', 'syscalls[0]: no system call is named'],
  ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","names":["b"],"action":"SCMP_ACT_ERRNO"}]}', "'name' and 'names'"],
  ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","action":"SCMP_ACT_ERRNO","args":[{"index":6,"op":"SCMP_CMP_EQ"}]}]}',
    '6 is more than 5'],
  ['{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"name":"a","action":"SCMP_ACT_ERRNO","args":[{"index":0,"op":"EQ"}]}]}', 'unknown operator "EQ"'],
  ['{"defaultAction":"SCMP_ACT_LOG","syscalls":[{"name":"a","action":"SCMP_ACT_LOG","args":[{"index":0,"op":"SCMP_CMP_EQ","value":1e19}]}]}', '2^53'],
];
for (const [text, message] of broken) {
  test(`refused profile: ${message}`, () => expect(() => parseSeccompProfile(text)).toThrow(message));
}

test('profile files: absolute, there, not too large', () => {
  const dir = mkdtempSync('/tmp/isula-seccomp-');
  try {
    expect(() => loadSeccompProfile('relative.json')).toThrow('want an absolute path');
    expect(() => loadSeccompProfile(join(dir, 'none'))).toThrow(`opening seccomp profile (${join(dir, 'none')}) failed`);
    expect(() => loadSeccompProfile(dir)).toThrow('not a regular file');
    writeFileSync(join(dir, 'big'), Buffer.alloc(1024 * 1024 + 1));
    expect(() => loadSeccompProfile(join(dir, 'big'))).toThrow('the limit is 1048576');
    writeFileSync(join(dir, 'own'), JSON.stringify(defaultSeccompProfile()));
    expect(loadSeccompProfile(join(dir, 'own')).syscalls).toHaveLength(defaultSeccompProfile().syscalls.length);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
