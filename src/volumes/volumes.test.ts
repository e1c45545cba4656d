import { afterEach, beforeEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import {
  chownSync, existsSync, linkSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync,
  utimesSync, writeFileSync,
} from 'node:fs';
import { isEngineError, silentLogger } from '../base/index.ts';
import { getXattr, setXattr, umountAll } from '../linux/index.ts';
import { StateDb } from '../state/index.ts';
import { VolumeService } from './index.ts';

let root = '';
let db: StateDb;
let volumes: VolumeService;
let used: Record<string, string[]> = {};
let events: string[] = [];

function open(): VolumeService {
  db = new StateDb(`${root}/isulad.db`);
  const service = new VolumeService({ db, graphRoot: root, logger: silentLogger });
  service.bind({ uses: (name) => used[name] ?? [], event: (action, name) => void events.push(`${action} ${name}`) });
  return service;
}

async function reopen(running: { volume: string; container: string }[] = [], live: string[] = []): Promise<void> {
  db[Symbol.dispose]();
  volumes = open();
  await volumes.recover(running, new Set(live));
}

beforeEach(() => {
  root = mkdtempSync('/tmp/isula-volumes-');
  used = {};
  events = [];
  volumes = open();
});
afterEach(() => {
  db[Symbol.dispose]();
  if (existsSync(`${root}/volumes`)) for (const name of readdirSync(`${root}/volumes`)) umountAll(`${root}/volumes/${name}/_data`);
  rmSync(root, { recursive: true });
});

type Texts = Record<string, string>;

function request(Name: string, DriverOpts: Texts = {}, Labels: Texts = {}, Driver = ''): Parameters<VolumeService['create']>[0] {
  return { Name, Driver, DriverOpts, Labels };
}

async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return isEngineError(error) ? `${error.code}: ${error.message}` : `not an EngineError: ${String(error)}`;
  }
  return 'no error';
}

test('create, inspect, list, remove; a restart finds them again', async () => {
  const made = await volumes.operations.create(request('data', {}, { a: '1' }));
  const Mountpoint = `${root}/volumes/data/_data`;
  expect(made).toMatchObject({ Name: 'data', Driver: 'local', Mountpoint, Labels: { a: '1' }, Scope: 'local', Options: null });
  expect(lstatSync(made.Mountpoint).mode & 0o777).toBe(0o755);
  const anonymous = await volumes.operations.create(request(''));
  expect(anonymous.Name).toMatch(/^[0-9a-f]{64}$/);
  expect(await volumes.operations.create(request('data'))).toEqual(made);
  await reopen();
  expect(await volumes.operations.inspect('data')).toEqual(made);
  await volumes.operations.remove('data', false);
  expect(existsSync(`${root}/volumes/data`)).toBe(false);
  expect(await failure(volumes.operations.inspect('data'))).toBe('notFound: get data: no such volume');
  expect(await failure(volumes.operations.remove('data', false))).toBe('notFound: get data: no such volume');
  await volumes.operations.remove('data', true);
  await reopen();
  expect((await volumes.operations.list(new Map())).Volumes.map((volume) => volume.Name)).toEqual([anonymous.Name]);
  expect(events).toEqual(['create data', `create ${anonymous.Name}`, 'destroy data']);
});

test('names, drivers and options that are refused', async () => {
  expect(await failure(volumes.create(request('a'))))
    .toBe('invalidArgument: volume name is too short, names should be at least two alphanumeric characters');
  for (const name of ['../x', '.x', 'a/b', 'a b', 'x'.repeat(256)]) {
    expect(await failure(volumes.create(request(name)))).toContain('invalid characters');
  }
  expect(await failure(volumes.create(request('v1', {}, {}, 'flocker')))).toContain('plugin "flocker" not found');
  expect(await failure(volumes.create(request('v1', { nope: '1' })))).toBe('invalidArgument: create v1: invalid option: "nope"');
  expect(await failure(volumes.create(request('v1', { type: 'tmpfs' })))).toContain('missing required option: "device"');
  expect(await failure(volumes.create(request('v1', { size: '1g' })))).toContain('quota size requested but no quota support');
  expect(await failure(volumes.create(request('v1', { type: 'nfs', device: ':/x', o: 'addr=1.2.3.4' })))).toContain('unsupported');
  expect(await failure(volumes.create(request('v1', { type: 'none', device: 'x', o: 'bind' })))).toContain('absolute path');
  expect(await failure(volumes.operations.list(new Map([['nope', ['x']]])))).toBe("invalidArgument: invalid filter 'nope'");
  expect(readdirSync(`${root}/volumes`)).toEqual([]);
  await volumes.create(request('opts', { type: 'tmpfs', device: 'tmpfs' }));
  expect(await failure(volumes.create(request('opts', { type: 'tmpfs', device: 'tmpfs', o: 'size=1m' })))).toContain('conflict');
});

test('a volume in use stays', async () => {
  await volumes.create(request('busy'));
  used['busy'] = ['c1', 'c2'];
  expect(await failure(volumes.operations.remove('busy', true))).toBe('conflict: remove busy: volume is in use - [c1, c2]');
  used = {};
  {
    using pin = volumes.pin('busy');
    expect(pin).toBeDefined();
    expect(await failure(volumes.operations.remove('busy', false))).toContain('volume is in use');
  }
  await volumes.mount('busy', 'c3');
  expect(await failure(volumes.operations.remove('busy', false))).toContain('[c3]');
  await volumes.unmount('busy', 'c3');
  await volumes.operations.remove('busy', false);
});

test('filters and prune', async () => {
  await volumes.create(request('one', {}, { env: 'a' }));
  await volumes.create(request('two', {}, { env: 'b' }));
  const anonymous = (await volumes.create(request(''))).Name;
  used['two'] = ['c'];
  const names = async (filters: Record<string, string[]>): Promise<string[]> => (
    (await volumes.operations.list(new Map(Object.entries(filters)))).Volumes.map((volume) => volume.Name)
  );
  expect(await names({ dangling: ['false'] })).toEqual(['two']);
  expect(await names({ name: ['on', 'tw'] })).toEqual(['one', 'two']);
  expect(await names({ label: ['env=a'] })).toEqual(['one']);
  expect(await names({ 'label!': ['env'] })).toEqual([anonymous]);
  expect(await names({ driver: ['other'] })).toEqual([]);
  writeFileSync(`${volumes.get(anonymous).Mountpoint}/file`, 'x'.repeat(1000));
  expect(await volumes.withUsage(volumes.get('two'))).toMatchObject({ UsageData: { RefCount: 1 } });
  expect(await volumes.operations.prune(new Map())).toEqual({ VolumesDeleted: [anonymous], SpaceReclaimed: 1000 });
  expect((await volumes.operations.prune(new Map([['all', ['true']]]))).VolumesDeleted).toEqual(['one']);
});

test('anonymous volumes go with their container only when it is asked for', async () => {
  const { Name: name } = await volumes.create(request(''));
  await volumes.releaseAnonymous(name, false);
  expect(volumes.has(name)).toBe(true);
  used[name] = ['other'];
  await volumes.releaseAnonymous(name, true);
  expect(volumes.has(name)).toBe(true);
  used = {};
  await volumes.releaseAnonymous(name, true);
  expect(volumes.has(name)).toBe(false);
  await volumes.releaseAnonymous(name, true);
});

test('a start removes anonymous volumes whose container is gone, unless they were let go of', async () => {
  const make = async (owner: string): Promise<string> => (await volumes.create(request(''), owner)).Name;
  const [lost, kept, shared, released, plain] = [await make('gone'), await make('live'), await make('gone'), await make('gone'), await make('')];
  used[shared] = ['other'];
  await volumes.releaseAnonymous(released, false);
  await reopen([], ['live']);
  expect([lost, kept, shared, released, plain].map((name) => volumes.has(name))).toEqual([false, true, true, true, true]);
  used = {};
  await reopen([], ['live']);
  expect(volumes.has(shared)).toBe(true);
});

test('many at once', async () => {
  await Promise.all(Array.from({ length: 50 }, (_, number) => volumes.create(request(`v${number % 10}-x`))));
  expect((await volumes.operations.list(new Map())).Volumes.length).toBe(10);
  await Promise.all(Array.from({ length: 10 }, (_, number) => volumes.operations.remove(`v${number}-x`, false)));
  expect(readdirSync(`${root}/volumes`)).toEqual([]);
});

test('a crash at any step is repaired', async () => {
  await volumes.create(request('kept'));
  await volumes.create(request('half'));
  writeFileSync(`${root}/volumes/half/_data/file`, 'x');
  // Made without a record; renamed with its record still there; files left over; a foreign directory; a broken copy.
  mkdirSync(`${root}/volumes/made/_data`, { recursive: true });
  renameSync(`${root}/volumes/half`, `${root}/volumes/.removed-half`);
  mkdirSync(`${root}/volumes/.removed-old~1/_data`, { recursive: true });
  mkdirSync(`${root}/volumes/foreign/_data`, { recursive: true });
  writeFileSync(`${root}/volumes/foreign/_data/file`, 'x');
  mkdirSync(`${root}/volumes/kept/_copy`);
  await reopen();
  expect(readdirSync(`${root}/volumes`).sort()).toEqual(['foreign', 'kept']);
  expect(readdirSync(`${root}/volumes/kept`)).toEqual(['_data']);
  expect(volumes.has('half')).toBe(false);
  expect(await failure(volumes.create(request('foreign')))).toContain('belongs to no volume');
  rmSync(`${root}/volumes/kept`, { recursive: true });
  await reopen();
  expect(existsSync(`${root}/volumes/kept/_data`)).toBe(true);
});

test('options of the local driver mount while somebody runs with the volume', async () => {
  await volumes.create(request('mem', { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,noexec' }));
  const path = await volumes.mount('mem', 'c1');
  await volumes.mount('mem', 'c2');
  writeFileSync(`${path}/x`, 'x');
  await volumes.unmount('mem', 'c1');
  expect(existsSync(`${path}/x`)).toBe(true);
  await reopen([{ volume: 'mem', container: 'c2' }]);
  expect(existsSync(`${path}/x`)).toBe(true);
  await volumes.unmount('mem', 'c2');
  expect(existsSync(`${path}/x`)).toBe(false);
  mkdirSync(`${root}/host`);
  writeFileSync(`${root}/host/y`, 'y');
  await volumes.create(request('bound', { type: 'none', device: `${root}/host`, o: 'bind,ro' }));
  const bound = await volumes.mount('bound', 'c1');
  expect(readFileSync(`${bound}/y`, 'utf8')).toBe('y');
  expect(() => writeFileSync(`${bound}/z`, '')).toThrow('EROFS');
  await reopen();
  expect(readdirSync(bound)).toEqual([]);
  await volumes.create(request('broken', { type: 'nosuchfs', device: 'none' }));
  expect(await failure(volumes.mount('broken', 'c1'))).toContain('failed to mount local volume');
});

test('copy-up keeps owners, modes, times, links, attributes and devices, and follows no link out', async () => {
  const rootfs = `${root}/rootfs`;
  mkdirSync(`${rootfs}/real/sub`, { recursive: true });
  symlinkSync('/real', `${rootfs}/link`);
  symlinkSync('/etc/passwd', `${rootfs}/real/passwd`);
  symlinkSync('../../../../../../../etc', `${rootfs}/escape`);
  writeFileSync(`${rootfs}/real/file`, 'content', { mode: 0o640 });
  chownSync(`${rootfs}/real/file`, 12, 34);
  utimesSync(`${rootfs}/real/file`, 1000, 2000);
  linkSync(`${rootfs}/real/file`, `${rootfs}/real/sub/hard`);
  utimesSync(`${rootfs}/real/sub`, 1000, 3000);
  setXattr(`${rootfs}/real/file`, 'user.note', Buffer.from('n'));
  spawnSync('mknod', [`${rootfs}/real/null`, 'c', '1', '3']);
  spawnSync('mkfifo', [`${rootfs}/real/pipe`]);
  spawnSync('chmod', ['1777', `${rootfs}/real`]);
  await volumes.create(request('filled'));
  await volumes.copyUp('filled', rootfs, '/link');
  const data = volumes.get('filled').Mountpoint;
  expect(readdirSync(data).sort()).toEqual(['file', 'null', 'passwd', 'pipe', 'sub']);
  const file = lstatSync(`${data}/file`);
  expect([file.uid, file.gid, file.mode & 0o7777, file.mtimeMs, file.nlink]).toEqual([12, 34, 0o640, 2_000_000, 2]);
  expect(lstatSync(`${data}/sub/hard`).ino).toBe(file.ino);
  expect(lstatSync(`${data}/sub`).mtimeMs).toBe(3_000_000);
  expect(getXattr(`${data}/file`, 'user.note')?.toString()).toBe('n');
  expect(readlinkSync(`${data}/passwd`)).toBe('/etc/passwd');
  expect(lstatSync(`${data}/null`).isCharacterDevice()).toBe(true);
  expect(lstatSync(`${data}/null`).rdev).toBe(lstatSync('/dev/null').rdev);
  expect(lstatSync(`${data}/pipe`).isFIFO()).toBe(true);
  expect(lstatSync(data).mode & 0o7777).toBe(0o1777);
  // Not empty any more: left alone. Nothing there, or no directory: nothing happens.
  writeFileSync(`${data}/new`, '');
  await volumes.copyUp('filled', rootfs, '/link');
  expect(existsSync(`${data}/new`)).toBe(true);
  await volumes.create(request('empty'));
  for (const target of ['/nothing', '/real/file', '/escape']) await volumes.copyUp('empty', rootfs, target);
  expect(readdirSync(volumes.get('empty').Mountpoint)).toEqual([]);
  expect(readdirSync(`${root}/volumes/empty`)).toEqual(['_data']);
  await volumes.create(request('mem', { type: 'tmpfs', device: 'tmpfs' }));
  const path = await volumes.mount('mem', 'c');
  await volumes.copyUp('mem', rootfs, '/real');
  expect(readFileSync(`${path}/sub/hard`, 'utf8')).toBe('content');
});

test('copy-up into a volume that a running container has keeps the very directory', async () => {
  const rootfs = `${root}/rootfs`;
  mkdirSync(`${rootfs}/real/sub/deep`, { recursive: true });
  writeFileSync(`${rootfs}/real/sub/deep/file`, 'content', { mode: 0o640 });
  linkSync(`${rootfs}/real/sub/deep/file`, `${rootfs}/real/sub/hard`);
  await volumes.create(request('shared'));
  const data = await volumes.mount('shared', 'first');
  const { ino } = lstatSync(data);
  await volumes.mount('shared', 'second');
  await volumes.copyUp('shared', rootfs, '/real');
  expect(lstatSync(data).ino).toBe(ino);
  expect(readFileSync(`${data}/sub/deep/file`, 'utf8')).toBe('content');
  expect(lstatSync(`${data}/sub/deep/file`).mode & 0o7777).toBe(0o640);
  expect(lstatSync(`${data}/sub/hard`).ino).toBe(lstatSync(`${data}/sub/deep/file`).ino);
});
