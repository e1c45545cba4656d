import { expect, test } from 'bun:test';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand, useDaemon } from './harness/index.ts';

const daemon = useDaemon();

test('ps: the guide\'s columns, filters and formats', async () => {
  const id = await daemon.ok(['run', '-d', '--name', 'one', '-l', 'com.example.role=web', '--net', 'none', 'busybox', 'sleep', '1000']);
  const made = await daemon.ok(['create', '--name', 'two', '--net', 'none', 'busybox', 'true']);
  const [header = '', row = ''] = (await daemon.ok(['ps'])).split('\n');
  expect(header.split(/ {2,}/)).toEqual([
    'ID', 'IMAGE', 'STATUS', 'PID', 'COMMAND', 'EXIT_CODE', 'RESTART_COUNT', 'STARTAT', 'FINISHAT', 'RUNTIME', 'NAMES',
  ]);
  expect(row).toMatch(new RegExp(`^${id.slice(0, 12)} +busybox +running +[0-9]+ +"sleep 1000" +0 +0 +.+ ago +- +lcr +one$`));
  expect(await daemon.ok(['ps', '-aq', '--no-trunc'])).toBe(`${made}\n${id}`);
  expect(await daemon.ok(['ps', '-a', '-f', 'status=inited', '--format', '{{.Names}}'])).toBe('two');
  expect(await daemon.ok(['ps', '-l', '--format', '{{.Names}} {{.State}}'])).toBe('two created');
  expect(await daemon.ok(['ps', '-n', '1', '-q'])).toBe(made.slice(0, 12));
  expect(await daemon.ok(['ps', '-a', '--format', 'table {{.ID}} {{.Image}}', '--no-trunc'])).toBe(`ID IMAGE\n${made} busybox\n${id} busybox`);
  expect(await daemon.ok(['ps', '--format', '{{.Label "com.example.role"}} {{upper .Names}}'])).toBe('web ONE');
  expect(JSON.parse(await daemon.ok(['ps', '--format', 'json']))).toMatchObject({ Names: 'one', State: 'running' });
  const bad = await daemon.isula(['ps', '--format', '{{.Nope}}']);
  const unknown = 'template: :1:2: executing "" at <.Nope>: can\'t evaluate field Nope in type *formatter.ContainerContext\n';
  expect([bad.code, bad.stderr]).toEqual([1, unknown]);
  expect(await daemon.ok(['container', 'ls', '-q'])).toBe(id.slice(0, 12));
});

test('inspect, top, stats, logs, events', async () => {
  expect(await daemon.ok(['inspect', '-f', '{{.State.Status}} {{json .Config.Cmd}} {{len .Config.Cmd}}', 'one'])).toBe('running ["sleep","1000"] 2');
  const missing = await daemon.isula(['inspect', '-f', '{{.State.Nope}}', 'one']);
  expect([missing.code, missing.stderr]).toEqual([
    1, 'template parsing error: template: :1:8: executing "" at <.State.Nope>: map has no entry for key "Nope"\n',
  ]);
  const several = await daemon.isula(['inspect', 'one', 'nosuch', 'busybox']);
  expect([several.code, several.stderr]).toEqual([1, 'Error: No such object: nosuch\n']);
  expect(JSON.parse(several.stdout)).toHaveLength(2);
  expect(await daemon.ok(['inspect', '-f', '{{json .image.id}}', 'busybox'])).toMatch(/^"[0-9a-f]{64}"$/);
  expect((await daemon.isula(['inspect', '--type', 'image', 'one'])).stderr).toBe('Error: No such image: one\n');
  expect(await daemon.ok(['top', 'one'])).toMatch(/^UID +PID +PPID +C +STIME +TTY +TIME +CMD\n.* sleep 1000$/);
  expect(await daemon.ok(['stats', '--no-stream', '--format', '{{.Name}} {{.PIDs}}'])).toBe('one 1');
  const events = await daemon.ok(['events', '-n', 'one', '--since', '1h', '--until', '0s', '--format', '{{.Type}} {{.Action}}']);
  expect(events.split('\n').slice(0, 2)).toEqual(['container create', 'container start']);
});

test('stop, restart, kill, pause, rename and rm print what was named; failures leave 1', async () => {
  for (const args of [['pause', 'one'], ['unpause', 'one'], ['restart', '-t', '0', 'one'], ['kill', 'one'], ['stop', 'one']]) {
    expect(await daemon.ok(args)).toBe('one');
  }
  expect(await daemon.ok(['start', 'one'])).toBe('');
  expect(await daemon.ok(['update', '-m', '64m', 'one'])).toBe('one');
  expect(await daemon.ok(['rename', 'one', 'uno'])).toBe('');
  const removed = await daemon.isula(['rm', '-f', 'uno', 'nosuch', 'two']);
  expect([removed.code, removed.stdout, removed.stderr]).toEqual([1, 'uno\ntwo\n', 'Error response from daemon: No such container: nosuch\n']);
});

test('images in the guide\'s columns, and its words for load and rmi', async () => {
  const [header = '', row = ''] = (await daemon.ok(['images'])).split('\n');
  expect(header.split(/ {2,}/)).toEqual(['REF', 'IMAGE ID', 'CREATED', 'SIZE']);
  expect(row).toMatch(/^busybox:latest +[0-9a-f]{12} +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d +[\d.]+ [kM]B$/);
  const archive = join(daemon.dir, 'saved.tar');
  await daemon.ok(['tag', 'busybox', 'other:1']);
  await daemon.ok(['save', '-o', archive, 'other:1']);
  expect(await daemon.ok(['rmi', 'other:1'])).toBe('Image "other:1" removed');
  expect(await daemon.ok(['load', '-i', archive])).toEndWith(`Load image from "${archive}" success`);
  expect((await daemon.ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).split('\n')).toContain('other:1');
  expect(await daemon.ok(['history', '-q', 'other:1'])).toMatch(/^[0-9a-f]{12}$/);
  await daemon.ok(['rmi', 'other:1']);
  expect((await daemon.isula(['rmi', 'other:1'])).stderr).toBe('Error response from daemon: No such image: other:1\n');
});

test('volumes', async () => {
  expect(await daemon.ok(['volume', 'create', '--label', 'a=b', 'v1'])).toBe('v1');
  expect(await daemon.ok(['volume', 'ls', '-q'])).toBe('v1');
  expect(await daemon.ok(['volume', 'inspect', '-f', '{{.Driver}} {{.Labels.a}}', 'v1'])).toBe('local b');
  expect(await daemon.ok(['volume', 'rm', 'v1'])).toBe('v1');
});

test('help, completion and manual are made of one table', async () => {
  const help = await daemon.ok(['run', '--help']);
  for (const text of ['Usage:  isula run [OPTIONS] IMAGE|ROOTFS [COMMAND] [ARG...]', '-u, --user string', '--external-rootfs', '-H, --host string']) {
    expect(help).toContain(text);
  }
  expect(await daemon.ok(['--help'])).toContain('Management Commands:');
  expect(await daemon.ok(['volume', '--help'])).toContain('Remove unused local volumes');
  const script = join(daemon.dir, 'complete.bash');
  const words = 'c() { COMP_WORDS=("$@"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); COMPREPLY=(); _isula; echo "${COMPREPLY[*]}"; }';
  const completion = await daemon.ok(['completion', 'bash']);
  writeFileSync(script, `${completion}\n${words}\nc isula volu\nc isula run --pull ''\nc isula container prun\nc isula ps --no-t\n`);
  const completed = await runCommand(['bash', script]);
  expect([completed.stdout, completed.stderr]).toEqual(['volume\nalways missing never\nprune\n--no-trunc\n', '']);
  const pages = join(daemon.dir, 'man');
  mkdirSync(pages);
  await daemon.ok(['man', pages]);
  expect(readdirSync(pages)).toContain('isula-volume-create.1');
});
