import { afterAll, expect, test } from 'bun:test';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, useDaemon, waitUntil } from './harness/index.ts';

/** Programs and specifications; the daemon's default hooks must be there before it starts. */
const dir = mkdtempSync('/tmp/isula-hooks-');
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const log = join(dir, 'log');

function program(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

function specFile(name: string, content: unknown): string {
  const path = join(dir, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const say = program('say', `state=$(cat); echo "$1 $KEY" >> ${log}; echo "$state" > ${dir}/state.$1`);
const fail = program('fail', 'echo "this hook says no" >&2; exit 3');
const hang = program('hang', `echo $$ > ${dir}/hang.pid; exec sleep 1000`);
const all = (who: string) => Object.fromEntries(['prestart', 'poststart', 'poststop'].map((kind) =>
  [kind, [{ path: say, args: ['say', `${who}-${kind}`], env: [`KEY=${kind}`], timeout: 30 }]]));

const daemon = useDaemon({ flags: ['--hook-spec', specFile('default.json', all('daemon'))] });

const spoken = () => (existsSync(log) ? readFileSync(log, 'utf8').split('\n').filter((line) => line !== '') : []);

test('the daemon\'s hooks come before the container\'s, in each phase; stop waits for the last', async () => {
  const spec = specFile('own.json', all('own'));
  const id = await daemon.ok(['run', '-d', '--name', 'hooked', '--hook-spec', spec, 'busybox', 'sleep', '1000']);
  const started = ['daemon-prestart prestart', 'own-prestart prestart', 'daemon-poststart poststart', 'own-poststart poststart'];
  const ended = ['daemon-poststop poststop', 'own-poststop poststop'];
  expect(spoken()).toEqual(started);
  await daemon.ok(['stop', '-t', '0', 'hooked']);
  expect(spoken()).toEqual([...started, ...ended]);
  const state: unknown = JSON.parse(readFileSync(join(dir, 'state.own-prestart'), 'utf8'));
  expect([at(state, 'id'), typeof at(state, 'pid')]).toEqual([id, 'number']);
  // Its specification is read again at every start; inspect names it.
  await daemon.ok(['start', 'hooked']);
  expect(spoken()).toEqual([...started, ...ended, ...started]);
  expect(await daemon.ok(['inspect', '-f', '{{.HostConfig.HookSpec}}', 'hooked'])).toBe(spec);
  await daemon.ok(['rm', '-f', 'hooked']);
  expect(spoken()).toEqual([...started, ...ended, ...started, ...ended]);
  rmSync(log);
  // Another container has the daemon's alone.
  await daemon.ok(['run', '--rm', 'busybox', 'true']);
  expect(spoken()).toEqual(['daemon-prestart prestart', 'daemon-poststart poststart', 'daemon-poststop poststop']);
});

test('a prestart hook that fails or hangs fails the start and says why; later hooks are told in the log', async () => {
  const failing = await daemon.isula(['run', '--rm', '--hook-spec', specFile('fail.json', { prestart: [{ path: fail }] }), 'busybox', 'echo', 'ran']);
  expect([failing.code, failing.stdout, failing.stderr]).toEqual([125, '', expect.stringContaining('this hook says no')]);
  const hanging = await daemon.isula(['run', '--rm', '--hook-spec', specFile('hang.json', { prestart: [{ path: hang, timeout: 1 }] }), 'busybox',
    'echo', 'ran']);
  expect([hanging.code, hanging.stdout, hanging.stderr]).toEqual([125, '', expect.stringContaining('timeout')]);
  await untilKilled();
  for (const kind of ['poststart', 'poststop']) {
    const before = daemon.log.length;
    const spec = specFile(`${kind}.json`, { [kind]: [{ path: fail }, { path: hang, timeout: 1 }] });
    const { code, stdout } = await daemon.isula(['run', '--rm', '--hook-spec', spec, 'busybox', 'echo', 'ran']);
    expect([kind, code, stdout]).toEqual([kind, 0, 'ran\n']);
    await waitUntil(`${kind} hooks in the log`, () => daemon.log.slice(before).includes('this hook says no'));
    await untilKilled();
  }
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
});

/** Killed, and reaped by whoever took it over. */
async function untilKilled(): Promise<void> {
  const pid = readFileSync(join(dir, 'hang.pid'), 'utf8').trim();
  await waitUntil('the hanging hook to be gone', () => !existsSync(`/proc/${pid}`));
}

test('a hanging hook blocks its own container alone', async () => {
  const spec = specFile('slow.json', { prestart: [{ path: hang, timeout: 100 }] });
  rmSync(join(dir, 'hang.pid'), { force: true });
  using run = daemon.background(['run', '-d', '--name', 'stuck', '--hook-spec', spec, 'busybox', 'true']);
  await waitUntil('the hook to run', () => existsSync(join(dir, 'hang.pid')) && readFileSync(join(dir, 'hang.pid'), 'utf8').trim() !== '');
  expect(await daemon.ok(['run', '--rm', 'busybox', 'echo', 'others'])).toBe('others');
  const listed = await daemon.ok(['ps', '-a', '--format', '{{.Names}} {{.State}}']);
  process.kill(Number(readFileSync(join(dir, 'hang.pid'), 'utf8')), 'SIGKILL');
  expect(listed).toBe('stuck created');
  expect(await run.end()).toBe(125);
  await daemon.ok(['rm', '-f', 'stuck']);
});

test('every rule of guide 1.3.10.3 has its own message, at create', async () => {
  const hook = (hook: Record<string, unknown>) => ({ prestart: [{ path: say, ...hook }] });
  const plain = join(dir, 'plain');
  writeFileSync(plain, '#!/bin/sh\n');
  chmodSync(plain, 0o644);
  const foreign = program('foreign', 'true');
  chownSync(foreign, 1000, 1000);
  const open = program('open', 'true');
  chmodSync(open, 0o775);
  const big = specFile('big.json', '{}');
  truncateSync(big, 10 * 1024 * 1024 + 1);
  const folder = join(dir, 'folder');
  mkdirSync(folder);
  symlinkSync(say, join(dir, 'link.json'));
  const table: [spec: string, message: string][] = [
    ['own.json', 'the path must be absolute'],
    [join(dir, 'nosuch.json'), 'the file does not exist'],
    [folder, 'must be a regular file'],
    [join(dir, 'link.json'), 'not a symbolic link'],
    [big, 'larger than 10MB'],
    [specFile('text.json', 'prestart'), 'not JSON'],
    [specFile('list.json', []), 'want a JSON object'],
    [specFile('kind.json', { before: [] }), 'unknown kind of hook "before"'],
    [specFile('relative.json', hook({ path: 'say' })), 'must be absolute'],
    [specFile('missing.json', hook({ path: join(dir, 'nosuch') })), 'does not exist'],
    [specFile('mode.json', hook({ path: plain })), 'is not executable'],
    [specFile('owner.json', hook({ path: foreign })), 'must be root'],
    [specFile('write.json', hook({ path: open })), 'only root may have write permission'],
    [specFile('zero.json', hook({ timeout: 0 })), 'timeout must be larger than 0'],
    [specFile('negative.json', hook({ timeout: -1 })), 'timeout must be larger than 0'],
    [specFile('float.json', hook({ timeout: 1.5 })), 'whole number'],
    [specFile('long.json', hook({ timeout: 121 })), 'not be larger than 120'],
    [specFile('args.json', hook({ args: 'x' })), 'args must be a list of strings'],
    [specFile('env.json', hook({ env: ['x'] })), 'NAME=VALUE'],
    [specFile('nopath.json', { prestart: [{}] }), 'path is required'],
  ];
  for (const [spec, message] of table) {
    const { code, stderr } = await daemon.isula(['run', '--rm', '--hook-spec', spec, 'busybox', 'true']);
    expect([spec, code, stderr]).toEqual([spec, 125, expect.stringContaining(message)]);
  }
  expect(await daemon.ok(['ps', '-aq'])).toBe('');
});
