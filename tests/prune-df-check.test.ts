import { afterAll, beforeAll, expect, test } from 'bun:test';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mount, umount } from '../src/linux/index.ts';
import { at, useDaemon, waitUntil } from './harness/index.ts';

const daemon = useDaemon();
const hex = (digit: string): string => digit.repeat(64);
let dir = '';

beforeAll(() => {
  dir = mkdtempSync('/tmp/isula-prune-');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A small image made of one file. */
async function makeImage(name: string, text: string, ...options: string[]): Promise<string> {
  const root = mkdtempSync(join(dir, 'root-'));
  writeFileSync(join(root, 'file'), text);
  const tar = join(dir, 'image.tar');
  Bun.spawnSync(['tar', '-C', root, '-cf', tar, 'file']);
  return daemon.ok(['import', ...options, tar, ...(name === '' ? [] : [name])]);
}

async function df(): Promise<unknown> {
  return (await daemon.http('GET', '/system/df')).json();
}

interface Problem {
  kind: string;
  name: string;
  repaired: boolean;
}

async function check(...options: string[]): Promise<{ code: number; problems: Problem[] }> {
  const { code, stdout, stderr } = await daemon.isula(['system', 'check', '--format', '{{.Kind}}|{{.Path}}|{{.Repaired}}', ...options]);
  expect(stderr).toBe('');
  const problems = stdout.split('\n').filter((line) => line !== '').map((line) => {
    const [kind = '', path = '', repaired = ''] = line.split('|');
    return { kind, name: path.slice(daemon.dir.length + 1), repaired: repaired === 'true' };
  });
  return { code, problems };
}

test('df adds up: layers once, containers, volumes; and per image what is shared', async () => {
  await makeImage('one:1', 'x'.repeat(1000));
  await daemon.ok(['tag', 'one:1', 'two:1']);
  await daemon.ok(['volume', 'create', 'vol']);
  await daemon.ok(['run', '--name', 'wrote', '-v', 'vol:/v', 'busybox', 'sh', '-c', 'head -c 5000 /dev/zero >/a; head -c 300 /dev/zero >/v/b']);
  await daemon.ok(['commit', 'wrote', 'child:1']);
  const usage = await df();
  const images = at(usage, 'Images');
  const sizes = new Map((Array.isArray(images) ? images : []).map((image: unknown) => [String(at(image, 'RepoTags', 0)), image]));
  const busybox = Number(at(sizes.get('busybox:latest'), 'Size'));
  expect([at(sizes.get('one:1'), 'Size'), at(sizes.get('one:1'), 'SharedSize'), at(sizes.get('one:1'), 'Containers')]).toEqual([1000, 0, 0]);
  expect([at(sizes.get('child:1'), 'Size'), at(sizes.get('child:1'), 'SharedSize')]).toEqual([busybox + 5000, busybox]);
  expect([at(usage, 'LayersSize'), at(sizes.get('busybox:latest'), 'Containers')]).toEqual([busybox + 6000, 1]);
  expect([at(usage, 'Containers', 0, 'SizeRw'), at(usage, 'Volumes', 0, 'UsageData')]).toEqual([5000, { Size: 300, RefCount: 1 }]);
  const table = (await daemon.ok(['system', 'df'])).split('\n').map((line) => line.split(/ {2,}/));
  expect(table.map((row) => row.slice(0, 3))).toEqual([
    ['TYPE', 'TOTAL', 'ACTIVE'], ['Images', '3', '1'], ['Containers', '1', '0'], ['Local Volumes', '1', '1'],
  ]);
  const whole = await daemon.ok(['system', 'df', '-v']);
  expect(whole).toContain('SHARED SIZE');
  expect(whole).toMatch(/\nvol +1 +300B/);
});

test('image prune: dangling ones, by label and age, then all that nothing uses; a dry run removes nothing', async () => {
  const dangling = await makeImage('', 'dangling');
  await makeImage('kept:1', 'kept', '-c', 'LABEL keep=1');
  const names = async (): Promise<string[]> => (await daemon.ok(['images', '--format', '{{.Repository}}'])).split('\n').toSorted();
  const before = await names();
  expect(await daemon.ok(['image', 'prune', '--dry-run'])).toStartWith(`Images that would be deleted:\ndeleted: ${dangling}\n`);
  // Of what only stopped containers use as well: they would go first.
  const plan = await daemon.ok(['system', 'prune', '--dry-run', '-a', '--volumes']);
  for (const name of ['busybox:latest', 'one:1', 'two:1', 'child:1', 'kept:1']) expect(plan).toContain(`untagged: ${name}\n`);
  const size = /reclaimed: (\S+)$/.exec(plan)?.[1];
  expect(await names()).toEqual(before);
  expect([plan.includes('vol\n'), await daemon.ok(['ps', '-aq', '--format', '{{.Names}}'])]).toEqual([false, 'wrote']);
  const some = await daemon.ok(['image', 'prune', '-a', '--dry-run', '--filter', 'label=keep']);
  expect([some.includes('kept:1'), some.includes('one:1'), size]).toEqual([true, false, expect.stringMatching(/^[0-9.]+MB$/)]);
  expect(await daemon.ok(['image', 'prune', '-f', '--filter', 'until=1h'])).toBe('Total reclaimed space: 0B');
  expect(await daemon.ok(['image', 'prune', '-f'])).toContain(`deleted: ${dangling}`);
  expect(await names()).toEqual(before.filter((name) => name !== '<none>'));
  expect((await daemon.isula(['image', 'prune', '-f', '--filter', 'color=red'])).stderr).toContain('color');
  await daemon.ok(['image', 'prune', '-af', '--filter', 'label!=keep']);
  expect(await names()).toEqual(['busybox', 'kept']);
  const declined = await daemon.isula(['image', 'prune', '-a'], { input: 'n\n' });
  expect(declined.stdout).toContain('Are you sure you want to continue?');
  expect(await names()).toEqual(['busybox', 'kept']);
});

test('container prune takes those that do not run, by label and age', async () => {
  await daemon.ok(['run', '-d', '--name', 'runs', 'busybox', 'sleep', '1000']);
  await daemon.ok(['create', '--name', 'labelled', '--label', 'keep', 'busybox', 'true']);
  expect(await daemon.ok(['container', 'prune', '-f', '--filter', 'until=1h'])).toBe('Total reclaimed space: 0B');
  const pruned = await daemon.ok(['container', 'prune', '-f', '--filter', 'label!=keep']);
  expect(pruned).toContain('Total reclaimed space: 5kB');
  const names = async (): Promise<string[]> => (await daemon.ok(['ps', '-a', '--format', '{{.Names}}'])).split('\n').toSorted();
  expect(await names()).toEqual(['labelled', 'runs']);
  const all = await daemon.ok(['system', 'prune', '-af', '--volumes']);
  expect(all).toContain('Deleted Containers:');
  expect([await names(), await daemon.ok(['images', '-q', 'kept'])]).toEqual([['runs'], '']);
  // Named volumes stay, as in docker.
  expect(await daemon.ok(['volume', 'ls', '-q'])).toBe('vol');
  await daemon.ok(['rm', '-f', 'runs']);
});

test('system check finds nothing on a sound store, also while containers run and copies hold mounts', async () => {
  await daemon.ok(['run', '-d', '--name', 'runs', '-v', 'vol:/v', '-v', '/anon', 'busybox', 'sleep', '1000']);
  const idle = await daemon.ok(['create', '--name', 'idle', 'busybox', 'true']);
  // The header of a file whose content does not come.
  const { bytes } = await daemon.isula(['cp', 'idle:/bin/busybox', '-']);
  using copy = daemon.background(['cp', '-', 'idle:/tmp']);
  copy.write(bytes.subarray(0, 1024));
  await waitUntil('the root to be mounted', () => readFileSync('/proc/self/mountinfo', 'utf8').includes(`${idle}/merged`));
  expect(await check('--content')).toEqual({ code: 0, problems: [] });
  expect(await daemon.ok(['system', 'check'])).toBe('No problems found');
});

test('system check reports every stray; repair removes what the engine could have made', async () => {
  const overlay = 'graph/storage/overlay2';
  const strays: [kind: string, path: string][] = [
    ['layer', `${overlay}/layers/${hex('a')}`], ['container layer', `${overlay}/containers/${hex('b')}`],
    ['staging', `${overlay}/staging/left`], ['container directory', `graph/engines/lcr/${hex('c')}`],
    ['bundle', `state/bundles/${hex('d')}`], ['volume directory', 'graph/volumes/.removed-x'],
    ['layer list', `${overlay}/stacks/ff`], ['unknown file', `${overlay}/empty/file`], ['blob', `graph/blobs/sha256/${hex('e')}`],
    ['blob', 'graph/blobs/ingest/left'], ['blob', 'graph/blobs/partial/left'], ['blob', 'graph/blobs/other'],
  ];
  for (const [, path] of strays) {
    mkdirSync(join(daemon.dir, path), { recursive: true });
    writeFileSync(join(daemon.dir, path, 'inside'), 'x');
  }
  const foreign: [string, string][] = [
    ['unknown file', 'graph/mine'], ['unknown file', 'graph/storage/zfs'], ['volume directory', 'graph/volumes/mine'],
  ];
  for (const [, path] of foreign) mkdirSync(join(daemon.dir, path));
  const mountPoint = `${overlay}/containers/${hex('b')}/merged`;
  mkdirSync(join(daemon.dir, mountPoint));
  mount('none', join(daemon.dir, mountPoint), 'tmpfs', 0, '');
  try {
    const expected = (repaired: boolean): Problem[] => [
      ...[...strays, ['mount', mountPoint] as const].map(([kind, name]) => ({ kind, name, repaired })),
      ...foreign.map(([kind, name]) => ({ kind, name, repaired: false })),
    ];
    const sorted = (problems: Problem[]): string[] => problems.map((one) => JSON.stringify(one)).toSorted();
    const found = await check();
    expect([found.code, sorted(found.problems)]).toEqual([1, sorted(expected(false))]);
    const repaired = await check('--repair');
    expect([repaired.code, sorted(repaired.problems)]).toEqual([1, sorted(expected(true))]);
    for (const [, path] of strays) expect(existsSync(join(daemon.dir, path))).toBe(false);
    for (const [, path] of foreign) rmSync(join(daemon.dir, path), { recursive: true });
    expect(await check()).toEqual({ code: 0, problems: [] });
  } finally {
    if (existsSync(join(daemon.dir, mountPoint))) umount(join(daemon.dir, mountPoint));
  }
  expect(await daemon.ok(['exec', 'runs', 'echo', 'hi'])).toBe('hi');
});

test('damage: a changed layer is unpacked again when nothing stands on it, a changed or missing blob is named', async () => {
  const id = await makeImage('hurt:1', 'the right text');
  const layers = join(daemon.graph, 'storage/overlay2/layers');
  const file = readdirSync(layers).map((name) => join(layers, name, 'diff/file')).find((path) => existsSync(path)) ?? '';
  writeFileSync(file, 'the wrong text');
  expect(await check()).toEqual({ code: 0, problems: [] });
  const name = file.slice(daemon.dir.length + 1, -'/diff/file'.length);
  expect(await check('--content')).toEqual({ code: 1, problems: [{ kind: 'layer', name, repaired: false }] });
  // From now on it is known, and only this image cannot be used.
  expect((await daemon.isula(['create', 'hurt:1', '/file'])).stderr).toContain('changed');
  expect(await check('--content', '--repair')).toEqual({ code: 0, problems: [{ kind: 'layer', name, repaired: true }] });
  expect(await Bun.file(file).text()).toBe('the right text');
  await daemon.ok(['create', '--name', 'stands', 'hurt:1', '/file']);
  writeFileSync(file, 'the wrong text');
  expect((await check('--content', '--repair')).problems).toEqual([{ kind: 'layer', name, repaired: false }]);
  await daemon.ok(['rm', 'stands']);
  expect((await check('--content', '--repair')).problems).toEqual([{ kind: 'layer', name, repaired: true }]);
  const blob = `graph/blobs/sha256/${String(at((await daemon.http('GET', `/images/${id}/json`)).json(), 'RootFS', 'Layers', 0)).slice(7)}`;
  const path = join(daemon.dir, blob);
  const size = statSync(path).size;
  writeFileSync(path, Buffer.alloc(size));
  expect((await check()).problems).toEqual([]);
  expect((await check('--content', '--repair')).problems).toEqual([{ kind: 'blob', name: blob, repaired: false }]);
  appendFileSync(path, 'more');
  expect((await check()).problems).toEqual([{ kind: 'blob', name: blob, repaired: false }]);
  rmSync(path);
  expect((await check()).problems).toEqual([{ kind: 'blob', name: blob, repaired: false }]);
  await daemon.ok(['rmi', 'hurt:1']);
  expect(await check('--content')).toEqual({ code: 0, problems: [] });
});

test('image-layer-check at start: only the damaged image is refused', async () => {
  await makeImage('hurt:2', 'the right text');
  const layers = join(daemon.graph, 'storage/overlay2/layers');
  const file = readdirSync(layers).map((name) => join(layers, name, 'diff/file')).find((path) => existsSync(path)) ?? '';
  await daemon.stop();
  writeFileSync(file, 'the wrong text');
  writeFileSync(join(daemon.dir, 'daemon.json'), JSON.stringify({ 'image-layer-check': true }));
  await daemon.start();
  expect(daemon.log).toContain('image-layer-check');
  expect((await daemon.isula(['create', 'hurt:2', '/file'])).stderr).toContain('get it again');
  expect(await daemon.ok(['run', '--rm', 'busybox', 'echo', 'sound'])).toBe('sound');
  // What is known is told without reading everything again.
  const name = file.slice(daemon.dir.length + 1, -'/diff/file'.length);
  expect(await check()).toEqual({ code: 1, problems: [{ kind: 'layer', name, repaired: false }] });
  expect(await check('--repair')).toEqual({ code: 0, problems: [{ kind: 'layer', name, repaired: true }] });
  expect(await check()).toEqual({ code: 0, problems: [] });
  await daemon.ok(['create', '--name', 'repaired', 'hurt:2', '/file']);
  await daemon.ok(['rm', 'repaired']);
  await daemon.ok(['rmi', 'hurt:2']);
  await makeImage('hurt:2', 'the right text');
  await daemon.ok(['create', '--name', 'works', 'hurt:2', '/file']);
});
