import { afterEach, beforeAll, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
afterEach(() => daemon.removeAll());

/** Programs that cannot run, for a directory of the host and for an image. */
let programs = '';

beforeAll(async () => {
  programs = join(daemon.dir, 'programs');
  mkdirSync(programs);
  const foreign = readFileSync('/bin/busybox');
  // e_machine of the ELF header: a machine that this one is not.
  foreign.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
  const files: Record<string, string | Buffer> = {
    foreign, junk: 'neither a program nor a script\n', script: '#!/no/such/interpreter -x\n', good: '#!/bin/sh\necho good\n',
    dynamic: readFileSync('/usr/bin/env'),
  };
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(programs, name), content);
    chmodSync(join(programs, name), 0o755);
  }
  writeFileSync(join(programs, 'plain'), '#!/bin/sh\n', { mode: 0o644 });
  await daemon.ok(['create', '--name', 'builder', 'busybox', 'true']);
  await daemon.ok(['cp', `${programs}/.`, 'builder:/programs']);
  await daemon.ok(['commit', 'builder', 'programs:1']);
  await daemon.ok(['rm', 'builder']);
});

/** What to run, the exit status, what the message says. */
const table: [string, number, string][] = [
  ['foreign', 126, 'exec format error: the program is for'],
  ['junk', 126, 'exec format error'],
  ['script', 127, 'its interpreter /no/such/interpreter is not in the container'],
  ['dynamic', 127, 'is not in the container'],
  ['plain', 126, 'permission denied'],
  ['.', 126, 'permission denied'],
  ['missing', 127, 'no such file or directory'],
];

for (const runtime of ['crun', 'runc']) {
  test(`${runtime}: what cannot be executed, in an image, on a volume and by exec`, async () => {
    await daemon.ok(['run', '-d', '--name', 'host', '--runtime', runtime, '-v', `${programs}:/volume`, 'programs:1', 'sleep', '1000']);
    for (const [program, code, message] of table) {
      for (const [place, argv] of [
        ['image', ['run', '--rm', '--runtime', runtime, 'programs:1', `/programs/${program}`]],
        ['volume', ['run', '--rm', '--runtime', runtime, '-v', `${programs}:/volume`, 'busybox', `/volume/${program}`]],
        ['exec', ['exec', 'host', `/programs/${program}`]],
        ['exec on volume', ['exec', 'host', `/volume/${program}`]],
      ] as const) {
        const result = await daemon.isula(argv);
        expect([place, program, result.code, result.stdout, result.stderr]).toEqual([place, program, code, '', expect.stringContaining(message)]);
      }
    }
    const nothing = await daemon.isula(['run', '--rm', '--runtime', runtime, 'busybox', '']);
    expect([nothing.code, nothing.stderr]).toEqual([127, expect.stringContaining('exec: "": executable file not found in $PATH')]);
    expect(await daemon.ok(['exec', 'host', '/volume/good'])).toBe('good');
    expect(await daemon.ok(['ps', '-aq'])).toBe(await daemon.ok(['ps', '-q']));
  });

  test(`${runtime}: bad users, directories and devices`, async () => {
    const bad: [string[], number, string][] = [
      [['-u', 'nobodyhere'], 125, 'unable to find user nobodyhere'],
      [['-u', '0:nogrouphere'], 125, 'unable to find group nogrouphere'],
      [['--group-add', 'nogrouphere'], 125, 'nogrouphere'],
      [['-w', '/etc/passwd'], 125, 'not a directory'],
      [['--device', '/dev/nosuchdevice'], 125, 'no such file or directory'],
      [['-v', '/etc/passwd:/etc'], 125, 'directory'],
    ];
    for (const [flags, code, message] of bad) {
      const result = await daemon.isula(['run', '--rm', '--runtime', runtime, ...flags, 'busybox', 'true']);
      expect([flags, result.code, result.stderr]).toEqual([flags, code, expect.stringContaining(message)]);
    }
    // A directory that is not there is made.
    expect(await daemon.ok(['run', '--rm', '--runtime', runtime, '-w', '/new/place', 'busybox', 'pwd'])).toBe('/new/place');
    expect(await daemon.ok(['ps', '-aq'])).toBe('');
  });
}

test('the cause and the status stay in the record; what was made for the start is gone; a later start may succeed', async () => {
  await daemon.ok(['create', '--name', 'late', '-v', `${programs}:/volume`, 'busybox', '/volume/coming']);
  const failed = await daemon.isula(['start', 'late']);
  expect([failed.code, failed.stderr]).toEqual([1, expect.stringContaining('no such file or directory')]);
  expect((await daemon.isula(['start', '-a', 'late'])).code).toBe(127);
  const state = at((await daemon.http('GET', '/containers/late/json')).json(), 'State');
  expect(state).toMatchObject({ Status: 'created', Running: false, Pid: 0, ExitCode: 127, Error: expect.stringContaining('/volume/coming') });
  const answer = await daemon.http('POST', '/containers/late/start');
  expect([answer.status, at(answer.json(), 'message')]).toEqual([400, expect.stringContaining('no such file or directory')]);
  expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(join(daemon.graph, 'storage'));
  writeFileSync(join(programs, 'coming'), '#!/bin/sh\nexit 5\n', { mode: 0o755 });
  expect((await daemon.isula(['start', '-a', 'late'])).code).toBe(5);
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}} {{.State.ExitCode}} {{.State.Error}}', 'late'])).toBe('exited 5');
});

test('too little memory: the kernel\'s kill is told', async () => {
  const script = 'x=$(head -c 200000000 /dev/zero | tr "\\0" x); echo survived';
  await daemon.ok(['run', '-d', '--name', 'oom', '-m', '16m', '--memory-swap', '16m', 'busybox', 'sh', '-c', script]);
  expect(await daemon.ok(['wait', 'oom'])).toBe('137');
  expect(await daemon.ok(['inspect', '-f', '{{.State.OOMKilled}} {{.State.ExitCode}}', 'oom'])).toBe('true 137');
  const events = ['events', '--since', '1h', '--until', '0s', '-n', 'oom', '--format', '{{.Action}}'];
  await waitUntil('the oom event', async () => (await daemon.ok(events)).split('\n').includes('oom'));
});
