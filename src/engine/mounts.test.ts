import { afterEach, beforeEach, expect, test } from 'bun:test';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { isEngineError, silentLogger } from '../base/index.ts';
import { bindMount, MS_PRIVATE, MS_SHARED, MS_SLAVE, readMounts, setPropagation, umountAll } from '../linux/index.ts';
import { defaultHostConfig, parseMount, type HostConfig } from '../model/index.ts';
import { StateDb } from '../state/index.ts';
import { VolumeService } from '../volumes/index.ts';
import { mountPointsOf, planMounts, type MountPlan, type PlannedMount } from './mounts.ts';
import { startMounts, stopMounts } from './mounts-start.ts';
import type { VolumeOperations } from './types.ts';

let root = '';
let db: StateDb;
let volumes: VolumeService;

beforeEach(() => {
  root = realpathSync(mkdtempSync('/tmp/isula-mounts-'));
  db = new StateDb(`${root}/isulad.db`);
  volumes = new VolumeService({ db, graphRoot: root, logger: silentLogger });
});
afterEach(() => {
  db[Symbol.dispose]();
  for (const { mountPoint } of readMounts().reverse()) if (mountPoint.startsWith(`${root}/`)) umountAll(mountPoint);
  rmSync(root, { recursive: true });
});

function plan(options: Partial<HostConfig>, targets: string[] = [], others: Record<string, PlannedMount[]> = {}): Promise<MountPlan> {
  const hostConfig = { ...defaultHostConfig(), ...options };
  return planMounts({ container: 'c', hostConfig, volumes: targets }, { volumes, mountsOf: (reference) => others[reference] ?? [] });
}

async function failure(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return isEngineError(error) ? error.message : `not an EngineError: ${String(error)}`;
  }
  return 'no error';
}

function start(made: MountPlan, firstStart = true): ReturnType<typeof startMounts> {
  mkdirSync(`${root}/rootfs`, { recursive: true });
  return startMounts({
    container: 'c', mounts: made.mounts, rootfs: `${root}/rootfs`, directory: `${root}/run`, firstStart, volumes, relabel: undefined,
  });
}

function stop(made: MountPlan): Promise<void> {
  return stopMounts({ container: 'c', mounts: made.mounts, directory: `${root}/run`, volumes });
}

test('the volume service is what the engine offers', () => {
  const operations: VolumeOperations = volumes.operations;
  expect(Object.keys(operations).sort()).toEqual(['create', 'inspect', 'list', 'prune', 'remove']);
});

test('binds, volumes, tmpfs and anonymous volumes, parents first', async () => {
  const made = await plan({
    Binds: ['/host/a:/mnt/deep/er:ro,rslave', 'named:/mnt/deep:nocopy', '/anonymous'], Tmpfs: { '/scratch': 'size=1.5k,exec,mode=700' },
    Mounts: [parseMount('type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770,ro')],
  }, ['/image', '/t']);
  expect(made.mounts.map((mount) => `${mount.type} ${mount.target}`)).toEqual([
    'volume /anonymous', 'tmpfs /t', 'tmpfs /scratch', 'volume /image', 'volume /mnt/deep', 'bind /mnt/deep/er',
  ]);
  expect(made.mounts[1]).toMatchObject({ readOnly: true, options: ['noexec', 'nosuid', 'nodev', 'size=1048576', 'mode=1770'] });
  expect(made.mounts[2]).toMatchObject({ options: ['nosuid', 'nodev', 'size=1536', 'exec', 'mode=700'] });
  expect(made.mounts[4]).toMatchObject({ source: 'named', copyUp: false, anonymous: false });
  expect(made.mounts[5]).toMatchObject({ readOnly: true, propagation: 'rslave', createSource: true });
  expect(made.anonymousVolumes.length).toBe(2);
  expect(JSON.parse(JSON.stringify(made.mounts))).toEqual([...made.mounts]);
  const points = mountPointsOf(made.mounts, (name) => volumes.get(name).Mountpoint);
  expect(points.map((point) => point.Destination)).not.toContain('/scratch');
  expect(points.find((point) => point.Destination === '/mnt/deep')).toEqual({
    Type: 'volume', Name: 'named', Source: `${root}/volumes/named/_data`, Destination: '/mnt/deep', Driver: 'local', Mode: 'nocopy', RW: true,
    Propagation: '',
  });
  expect(points.find((point) => point.Type === 'bind')).toMatchObject({ Source: '/host/a', RW: false, Mode: 'ro,rslave', Propagation: 'rslave' });
});

test('volumes are held until the record refers to them, and go when the container is not made', async () => {
  const made = await plan({ Binds: ['named:/a', '/b'] });
  const [anonymous = ''] = made.anonymousVolumes;
  expect(await failure(volumes.operations.remove('named', false))).toContain('in use');
  made.release();
  await volumes.operations.remove('named', false);
  expect(volumes.has(anonymous)).toBe(true);
  await made.undo();
  expect(volumes.has(anonymous)).toBe(false);
});

test('--mount goes over -v, -v over --volumes-from; two of a kind are refused', async () => {
  const other = await plan({ Binds: ['/from:/x', '/from:/y:ro', 'shared:/z'] });
  mkdirSync(`${root}/src`);
  const made = await plan({
    VolumesFrom: ['other:ro'], Binds: ['/bind:/x', '/bind:/w'], Mounts: [parseMount(`type=bind,src=${root}/src,dst=/w`)],
  }, ['/z', '/w'], { other: [...other.mounts] });
  expect(Object.fromEntries(made.mounts.map((mount) => [mount.target, `${mount.source} ${mount.readOnly}`]))).toEqual({
    '/x': '/bind false', '/y': '/from true', '/z': 'shared true', '/w': `${root}/src false`,
  });
  expect(await failure(plan({ Binds: ['/a:/x', '/b:/x/'] }))).toBe('Duplicate mount point: /x');
  expect(await failure(plan({ Binds: ['/a:/x'], Tmpfs: { '/x': '' } }))).toBe('Duplicate mount point: /x');
  expect(await failure(plan({ Mounts: [parseMount('type=tmpfs,dst=/x'), parseMount('type=tmpfs,dst=/x')] }))).toBe('Duplicate mount point: /x');
});

test('what is refused makes nothing', async () => {
  const cases: [Partial<HostConfig>, string][] = [
    [
      { Mounts: [parseMount(`type=bind,src=${root}/nothing,dst=/x`)] },
      `invalid mount config for type "bind": bind source path does not exist: ${root}/nothing`,
    ],
    [{ Mounts: [parseMount('type=bind,src=rel,dst=/x')] }, 'mount path must be absolute'],
    [{ Mounts: [parseMount('type=bind,dst=/x')] }, 'field Source must not be empty'],
    [{ Mounts: [parseMount('type=volume,src=a')] }, 'field Target must not be empty'],
    [{ Mounts: [parseMount('type=tmpfs,src=a,dst=/x')] }, 'field Source must not be specified'],
    [{ Mounts: [parseMount('type=squashfs,src=/nothing.img,dst=/x')] }, 'image file does not exist'],
    [{ Mounts: [parseMount('type=image,src=busybox,dst=/x')] }, 'not supported'],
    [{ Tmpfs: { rel: '' } }, 'mount path must be absolute'],
    [{ Tmpfs: { '/x': 'uid=me' } }, 'invalid tmpfs option'],
    [{ Binds: ['/anonymous', '/x:/'] }, "destination can't be '/'"],
    [{ Binds: ['/anonymous', 'v2:/x'], VolumeDriver: 'flocker' }, 'plugin "flocker" not found'],
  ];
  for (const [options, message] of cases) expect(await failure(plan(options))).toContain(message);
  expect(readdirSync(`${root}/volumes`)).toEqual([]);
});

test('a start makes missing sources of -v only, and fills empty volumes once', async () => {
  mkdirSync(`${root}/rootfs/etc/app`, { recursive: true });
  writeFileSync(`${root}/rootfs/etc/app/conf`, 'default');
  mkdirSync(`${root}/vanishing`);
  const made = await plan({ Binds: [`${root}/new/dir:/n`, 'conf:/etc/app', 'bare:/etc/app/sub:nocopy'] });
  const resolved = await start(made);
  expect(resolved).toEqual([
    { type: 'bind', source: `${root}/new/dir`, target: '/n', readOnly: false, propagation: '', options: [] },
    { type: 'volume', source: `${root}/volumes/conf/_data`, target: '/etc/app', readOnly: false, propagation: '', options: [] },
    { type: 'volume', source: `${root}/volumes/bare/_data`, target: '/etc/app/sub', readOnly: false, propagation: '', options: [] },
  ]);
  expect(readFileSync(`${root}/volumes/conf/_data/conf`, 'utf8')).toBe('default');
  expect(await failure(volumes.operations.remove('bare', false))).toBe('remove bare: volume is in use - [c]');
  await stop(made);
  made.release();
  rmSync(`${root}/volumes/conf/_data/conf`);
  await start(made, false);
  expect(existsSync(`${root}/volumes/conf/_data/conf`)).toBe(false);
  await stop(made);
  await volumes.operations.remove('bare', false);
  const gone = await plan({ Mounts: [parseMount(`type=bind,src=${root}/vanishing,dst=/x`)] });
  rmSync(`${root}/vanishing`, { recursive: true });
  expect(await failure(start(gone))).toContain('bind source path does not exist');
});

test('propagation needs a mount that propagates', async () => {
  mkdirSync(`${root}/private`);
  bindMount(`${root}/private`, `${root}/private`);
  setPropagation(`${root}/private`, MS_PRIVATE);
  const shared = await plan({ Binds: [`${root}/private:/x:rshared`] });
  expect(await failure(start(shared))).toBe(`path ${root}/private is mounted on ${root}/private but it is not a shared mount`);
  const slave = await plan({ Binds: [`${root}/private:/x:slave`] });
  expect(await failure(start(slave))).toContain('it is not a shared or slave mount');
  setPropagation(`${root}/private`, MS_SHARED);
  expect((await start(shared))[0]?.propagation).toBe('rshared');
  expect((await start(slave))[0]?.propagation).toBe('slave');
  setPropagation(`${root}/private`, MS_PRIVATE);
  setPropagation(`${root}/private`, MS_SLAVE);
});

test('a subpath is bound inside the volume, wherever its links point', async () => {
  await volumes.create({ Name: 'data', Driver: '', DriverOpts: {}, Labels: {} });
  const data = volumes.get('data').Mountpoint;
  mkdirSync(`${data}/real/sub`, { recursive: true });
  writeFileSync(`${data}/real/sub/file`, 'inside');
  symlinkSync('/real', `${data}/link`);
  symlinkSync('../../../../../../../../etc', `${data}/out`);
  const made = await plan({
    Mounts: [
      parseMount('type=volume,src=data,dst=/x,volume-subpath=link/sub'), parseMount('type=volume,src=data,dst=/f,volume-subpath=real/sub/file'),
    ],
  });
  const [directory, file] = await start(made);
  expect(readFileSync(`${directory?.source}/file`, 'utf8')).toBe('inside');
  expect(readFileSync(file?.source ?? '', 'utf8')).toBe('inside');
  await stop(made);
  await stop(made);
  expect(existsSync(`${root}/run`)).toBe(false);
  expect(readFileSync(`${data}/real/sub/file`, 'utf8')).toBe('inside');
  for (const subpath of ['out', 'nothing']) {
    const bad = await plan({ Mounts: [parseMount(`type=volume,src=data,dst=/x,volume-subpath=${subpath}`)] });
    expect(await failure(start(bad))).toContain(`Cannot access subpath ${subpath}`);
    await stop(bad);
  }
});

for (const [type, tool] of [['squashfs', 'mksquashfs'], ['erofs', 'mkfs.erofs']] as const) {
  // Without the tool or the kernel's support there is nothing to mount.
  const isMissing = Bun.which(tool) === null || !readFileSync('/proc/filesystems', 'utf8').includes(type);
  test.skipIf(isMissing)(`a ${type} image file is mounted read-only and undone`, async () => {
    mkdirSync(`${root}/tree`);
    writeFileSync(`${root}/tree/hello`, 'from the image');
    const image = `${root}/image.${type}`;
    const made0 = type === 'squashfs' ? spawnSync('mksquashfs', [`${root}/tree`, image, '-quiet']) : spawnSync('mkfs.erofs', [image, `${root}/tree`]);
    expect(made0.status).toBe(0);
    const made = await plan({ Mounts: [parseMount(`type=${type},src=${image},dst=/x`)] });
    const [resolved] = await start(made);
    expect(resolved).toMatchObject({ type: 'image', target: '/x', readOnly: true });
    expect(readFileSync(`${resolved?.source}/hello`, 'utf8')).toBe('from the image');
    await stop(made);
    expect(readMounts().some((entry) => entry.mountPoint.startsWith(root))).toBe(false);
    writeFileSync(image, 'no image');
    expect(await failure(start(made))).toContain(`Cannot mount ${type} image`);
    await stop(made);
  });
}
