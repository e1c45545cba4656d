import { expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { capabilityNames } from '../src/model/index.ts';
import { useDaemon } from './harness/index.ts';

const daemon = useDaemon();

async function run(options: readonly string[], script: string): Promise<{ code: number; lines: string[]; stderr: string }> {
  const { code, stdout, stderr } = await daemon.isula(['run', '--rm', ...options, 'busybox', 'sh', '-c', script]);
  return { code, lines: stdout.split('\n').slice(0, -1), stderr };
}

/** The mask of a set: of all capabilities, those that the test's own process (and so the daemon) has. */
function mask(names: readonly string[]): string {
  const own = BigInt(`0x${/CapBnd:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`);
  const wanted = names.reduce((bits, name) => bits | (1n << BigInt(capabilityNames.indexOf(name))), 0n);
  return (wanted & own).toString(16).padStart(16, '0');
}

test('capabilities: the guide\'s default, added, dropped, all, privileged, another user\'s', async () => {
  const standard = [
    'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FSETID', 'CAP_FOWNER', 'CAP_MKNOD', 'CAP_NET_RAW', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SETFCAP',
    'CAP_SETPCAP', 'CAP_NET_BIND_SERVICE', 'CAP_SYS_CHROOT', 'CAP_KILL', 'CAP_AUDIT_WRITE',
  ];
  const table: [options: string[], effective: readonly string[], bounding?: readonly string[]][] = [
    [[], standard],
    [['--cap-drop', 'all', '--cap-add', 'net_raw', '--cap-add', 'CAP_CHOWN'], ['CAP_NET_RAW', 'CAP_CHOWN']],
    [['--cap-add', 'ALL', '--cap-drop', 'SYS_ADMIN'], capabilityNames.filter((name) => name !== 'CAP_SYS_ADMIN')],
    [['--cap-drop', 'chown'], standard.filter((name) => name !== 'CAP_CHOWN')],
    [['--privileged'], capabilityNames],
    [['-u', '1000'], [], standard],
  ];
  for (const [options, effective, bounding] of table) {
    const { lines } = await run(options, 'grep -E "Cap(Eff|Bnd)" /proc/self/status');
    expect([options, lines]).toEqual([options, [`CapEff:\t${mask(effective)}`, `CapBnd:\t${mask(bounding ?? effective)}`]]);
  }
});

test('an ordinary container: filtered, masked, read-only where it must be; a privileged one is not', async () => {
  const look = 'grep -E "^(Seccomp|NoNewPrivs):" /proc/self/status; wc -c < /proc/keys';
  const plain = await run([], `${look}; (echo x > /proc/sys/kernel/hostname) 2>&1; mount -t tmpfs x /mnt 2>&1; ls /dev | wc -l`);
  expect(plain.lines.slice(0, 3)).toEqual(['NoNewPrivs:\t0', 'Seccomp:\t2', '0']);
  expect(plain.lines[3]).toContain('Read-only file system');
  expect(plain.lines[4]).toMatch(/denied|not permitted/);
  const privileged = await run(['--privileged'],
    'grep ^Seccomp: /proc/self/status; grep -c "ro," /proc/mounts; mkdir -p /m && mount -t tmpfs x /m && echo mounted; ls /dev | wc -l');
  expect([privileged.lines[0], privileged.lines.slice(-2)[0]]).toEqual(['Seccomp:\t0', 'mounted']);
  expect(Number(privileged.lines.at(-1))).toBeGreaterThan(Number(plain.lines.at(-1)));
});

test('security options: a profile of one\'s own, none, no new privileges, unmasked system paths', async () => {
  const profile = join(daemon.dir, 'profile.json');
  const syscalls = [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }];
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls }));
  expect((await run(['--security-opt', `seccomp=${profile}`], 'mkdir /x 2>&1')).lines[0]).toContain('not supported');
  expect((await run(['--security-opt', 'seccomp=unconfined'], 'grep ^Seccomp: /proc/self/status')).lines).toEqual(['Seccomp:\t0']);
  expect((await run(['--security-opt', 'no-new-privileges'], 'grep ^NoNewPrivs: /proc/self/status')).lines).toEqual(['NoNewPrivs:\t1']);
  expect((await run(['--security-opt', 'systempaths=unconfined'], 'grep -c " /proc/" /proc/mounts')).lines).toEqual(['0']);
});

test('devices: one, by another name, a directory of them, by rule, with fewer rights', async () => {
  const { lines } = await run(['--device', '/dev/null:/dev/nought:r', '--device', '/dev/full:/dev/pts2/full'],
    'cat /dev/nought && echo read; echo x 2>&1 > /dev/nought; ls -l /dev/pts2/full | cut -c1');
  expect([lines[0], lines.at(-1)]).toEqual(['read', 'c']);
  // Writing is the device cgroup's matter: /dev/null is allowed to all, so another one tells.
  if (existsSync('/dev/net/tun')) {
    const opened = 'exec 3<>/dev/net/tun && echo opened';
    expect((await run(['--device', '/dev/net'], opened)).lines).toEqual(['opened']);
    expect((await run(['--device', '/dev/net/tun:/dev/net/tun:r'], opened)).stderr).toContain('not permitted');
    expect((await run(['--device-cgroup-rule', 'c 10:200 rwm'],
      `mkdir /dev/net && mknod /dev/net/tun c 10 200 && ${opened}`)).lines).toEqual(['opened']);
    expect((await run([], `mkdir /dev/net && mknod /dev/net/tun c 10 200 && ${opened}`)).stderr).toContain('not permitted');
  }
});

test('sysctls of the container\'s own namespaces', async () => {
  const { lines } = await run(['--sysctl', 'kernel.shmmax=12345', '--sysctl', 'net.ipv4.ip_default_ttl=33'],
    'cat /proc/sys/kernel/shmmax /proc/sys/net/ipv4/ip_default_ttl');
  expect(lines).toEqual(['12345', '33']);
});

const kinds = ['pid', 'ipc', 'uts', 'net'] as const;
const optionOf = (kind: string, mode: string) => [`--${kind}`, mode];

test('namespaces: one\'s own, the host\'s, another container\'s', async () => {
  const pid = await start('donor', ['--ipc', 'shareable', '-h', 'donorhost']);
  for (const kind of kinds) {
    const link = `readlink /proc/self/ns/${kind}`;
    const [host, donor] = [readlinkSync(`/proc/self/ns/${kind}`), readlinkSync(`/proc/${pid}/ns/${kind}`)];
    expect(donor).not.toBe(host);
    expect([kind, (await run(optionOf(kind, 'host'), link)).lines]).toEqual([kind, [host]]);
    expect([kind, (await run(optionOf(kind, 'container:donor'), link)).lines]).toEqual([kind, [donor]]);
    const [own] = (await run(optionOf(kind, 'none'), link)).lines;
    expect([host, donor]).not.toContain(own);
  }
  const shared = await run(['--pid', 'container:donor', '--ipc', 'container:donor', '--uts', 'container:donor', '--net', 'container:donor'],
    'hostname; cat /etc/hostname; grep -c donorhost /etc/hosts; touch /dev/shm/shared');
  expect(shared.lines).toEqual(['donorhost', 'donorhost', '1']);
  expect(await daemon.ok(['exec', 'donor', 'ls', '/dev/shm'])).toBe('shared');
  await daemon.ok(['rm', '-f', 'donor']);
});

/** Starts a container that sleeps; gives its pid. */
async function start(name: string, options: readonly string[]): Promise<number> {
  await daemon.ok(['run', '-d', '--name', name, ...options, 'busybox', 'sleep', '1000']);
  return Number(await daemon.ok(['inspect', '-f', '{{.State.Pid}}', name]));
}

test('the owner of a shared namespace: its end, its absence, its refusal', async () => {
  for (const kind of kinds) {
    await start('donor', ['--ipc', 'shareable']);
    await start('joiner', optionOf(kind, 'container:donor'));
    await daemon.ok(['stop', '-t', '0', 'donor']);
    // Who shares the processes of another ends with its first one.
    if (kind === 'pid') await daemon.ok(['wait', 'joiner']);
    const state = await daemon.ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'joiner']);
    expect([kind, state]).toEqual([kind, kind === 'pid' ? 'exited 137' : 'running 0']);
    const { code, stderr } = await daemon.isula(['restart', '-t', '0', 'joiner']);
    expect([kind, code, stderr]).toEqual([kind, 1, expect.stringMatching(new RegExp(`Cannot join ${kind} namespace .* is not running`))]);
    await daemon.ok(['start', 'donor']);
    await daemon.ok(['start', 'joiner']);
    await daemon.ok(['rm', '-f', 'joiner', 'donor']);
  }
  await start('private', ['--ipc', 'private']);
  const { code, stderr } = await daemon.isula(['run', '--rm', '--ipc', 'container:private', 'busybox', 'true']);
  expect([code, stderr]).toEqual([125, expect.stringContaining('non-shareable IPC')]);
  await daemon.ok(['rm', '-f', 'private']);
});

test('CDI devices by name', async () => {
  const directory = '/etc/cdi';
  const made = mkdirSync(directory, { recursive: true });
  const kind = `isula.test${process.pid}/thing`;
  const file = join(directory, `isula-test-${process.pid}.json`);
  const containerEdits = { env: ['CDI=yes'], deviceNodes: [{ path: '/dev/cdi-null', hostPath: '/dev/null' }] };
  writeFileSync(file, JSON.stringify({ cdiVersion: '0.6.0', kind, devices: [{ name: 'one', containerEdits }] }));
  try {
    expect((await run(['--device', `${kind}=one`], 'echo $CDI; ls -l /dev/cdi-null | cut -c1')).lines).toEqual(['yes', 'c']);
    expect((await run(['--device', `${kind}=two`], 'true')).stderr).toContain('unresolvable CDI devices');
  } finally {
    rmSync(made ?? file, { recursive: true });
  }
});

test('an exec has the container\'s rights, --privileged all of them', async () => {
  await start('rights', ['--cap-drop', 'all', '--security-opt', 'no-new-privileges']);
  const look = (...options: string[]) => daemon.ok(['exec', ...options, 'rights', 'grep', 'CapEff', '/proc/self/status']);
  expect(await look()).toBe(`CapEff:\t${mask([])}`);
  expect(await look('--privileged')).toBe(`CapEff:\t${mask(capabilityNames)}`);
  await daemon.ok(['rm', '-f', 'rights']);
});
