import { afterAll, beforeAll, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asDigest, newContainerId, silentLogger, type ChainId, type ContainerId } from '../base/index.ts';
import { readMounts, umountAll } from '../linux/index.ts';
import { openOverlay2, type SnapshotDriver } from './index.ts';

let graphRoot: string;
const open = (options: string[] = []) => openOverlay2({ graphRoot, options, logger: silentLogger });
const chain = (n: number): ChainId => asDigest(`sha256:${n.toString(16).padStart(64, '0')}`);
const staged = () => readdirSync(join(graphRoot, 'storage/overlay2/staging'));

beforeAll(() => {
  graphRoot = mkdtempSync(join(tmpdir(), 'overlay2-'));
});
afterAll(() => {
  for (const { mountPoint } of readMounts()) if (mountPoint.startsWith(graphRoot)) umountAll(mountPoint);
  rmSync(graphRoot, { recursive: true, force: true });
});

async function addLayer(driver: SnapshotDriver, id: ChainId, files: Record<string, string>, below: ChainId[] = []): Promise<void> {
  await using staging = await driver.stageLayer(id, below);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(staging.path, name), text);
  expect(driver.hasLayer(id)).toBe(false);
  await staging.commit(100);
}

async function withContainer(driver: SnapshotDriver, layers: ChainId[], use: (id: ContainerId, root: string) => unknown): Promise<void> {
  const id = newContainerId();
  await driver.createContainer(id, { layers });
  try {
    await use(id, await driver.mountContainer(id));
  } finally {
    await driver.removeContainer(id);
  }
}

test('a layer appears whole at its commit, and again after a restart', async () => {
  const driver = open();
  await addLayer(driver, chain(1), { a: 'one', b: 'one' });
  await addLayer(driver, chain(2), { b: 'two' }, [chain(1)]);
  expect(open().listLayers().sort()).toEqual([chain(1), chain(2)]);
  expect(open().layerSize(chain(2))).toBe(100);
  expect(readFileSync(join(driver.layerPath(chain(2)), 'b'), 'utf8')).toBe('two');
  await using staging = await driver.stageLayer(chain(3), [chain(1), chain(2)]);
  expect(staging.parents).toEqual([driver.layerPath(chain(2)), driver.layerPath(chain(1))]);
  expect(() => driver.layerPath(chain(3))).toThrow('No such layer');
  await expect(driver.stageLayer(chain(5), [chain(4)])).rejects.toThrow('No such layer');
});

test('a layer that is staged and not committed leaves nothing; one committed twice is the first', async () => {
  const driver = open();
  {
    await using staging = await driver.stageLayer(chain(9));
    writeFileSync(join(staging.path, 'x'), '');
  }
  const [first, second] = [await driver.stageLayer(chain(9)), await driver.stageLayer(chain(9))];
  writeFileSync(join(first.path, 'first'), '');
  await first.commit(1);
  await second.commit(2);
  await first[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  expect(driver.layerSize(chain(9))).toBe(1);
  expect(readdirSync(driver.layerPath(chain(9)))).toEqual(['first']);
  expect(staged()).toEqual([]);
  await driver.removeLayer(chain(9));
  await driver.removeLayer(chain(9));
  expect(driver.hasLayer(chain(9))).toBe(false);
  expect(open().hasLayer(chain(9))).toBe(false);
});

test("a container writes to its own layer, whose root has the image root's mode", async () => {
  const driver = open();
  chmodSync(driver.layerPath(chain(2)), 0o750);
  await withContainer(driver, [chain(1), chain(2)], async (id, root) => {
    expect(readFileSync(join(root, 'a'), 'utf8') + readFileSync(join(root, 'b'), 'utf8')).toBe('onetwo');
    expect(statSync(root).mode & 0o7777).toBe(0o750);
    writeFileSync(join(root, 'new'), '12345');
    expect(await driver.mountContainer(id)).toBe(root);
    expect(await driver.containerSize(id)).toBe(5);
    expect(readdirSync(driver.upperPath(id))).toEqual(['new']);
    expect(driver.lowerPaths(id)).toEqual([driver.layerPath(chain(2)), driver.layerPath(chain(1))]);
    umountAll(root);
    expect(readFileSync(join(await driver.mountContainer(id), 'new'), 'utf8')).toBe('12345');
    await expect(driver.removeLayer(chain(1))).rejects.toThrow('stands on it');
    await driver.unmountContainer(id);
    await driver.unmountContainer(id);
    expect(existsSync(join(root, 'a'))).toBe(false);
  });
  expect(staged()).toEqual([]);
});

test('a container may have no layers, and hundreds', async () => {
  const driver = open();
  await withContainer(driver, [], (_, root) => expect(readdirSync(root)).toEqual([]));
  const many = Array.from({ length: 200 }, (_, index) => chain(1000 + index));
  // Committed by hand: 200 flushes to disk would only test the disk.
  for (const [index, id] of many.entries()) {
    const diff = join(graphRoot, 'storage/overlay2/layers', id.slice(7), 'diff');
    mkdirSync(diff, { recursive: true });
    writeFileSync(join(diff, 'top'), String(index));
  }
  await withContainer(open(), many, (_, root) => expect(readFileSync(join(root, 'top'), 'utf8')).toBe('199'));
  const fresh = open();
  const tooMany = Array.from({ length: 501 }, () => chain(1));
  await expect(fresh.createContainer(newContainerId(), { layers: tooMany })).rejects.toThrow('the limit is 500');
  for (const id of many) rmSync(join(graphRoot, 'storage/overlay2/layers', id.slice(7)), { recursive: true });
});

test('recovery unmounts what does not run, removes what is not known, and keeps what runs', async () => {
  const driver = open();
  const [running, stopped, unknown] = [newContainerId(), newContainerId(), newContainerId()];
  for (const id of [running, stopped, unknown]) {
    await driver.createContainer(id, { layers: [chain(1)] });
    await driver.createContainer(id, { layers: [chain(1)] });
    await driver.mountContainer(id);
  }
  await driver.stageLayer(chain(77));
  mkdirSync(join(graphRoot, 'storage/overlay2/staging/container-torn/upper'), { recursive: true });
  writeFileSync(join(graphRoot, 'storage/overlay2/stacks/unused'), '');

  const next = open();
  expect(next.listContainers().sort()).toEqual([running, stopped, unknown].sort());
  await next.recover(new Set([running, stopped]), new Set([running]));
  expect([running, stopped, unknown].map((id) => next.isMounted(id))).toEqual([true, false, false]);
  expect(next.hasContainer(unknown)).toBe(false);
  expect(staged()).toEqual([]);
  expect(existsSync(join(graphRoot, 'storage/overlay2/stacks/unused'))).toBe(false);
  expect(readFileSync(join(next.rootPath(running), 'a'), 'utf8')).toBe('one');
  expect(next.lowerPaths(stopped)).toEqual([next.layerPath(chain(1))]);
  await next.recover(new Set(), new Set());
  expect(next.listContainers()).toEqual([]);
  expect(readMounts().filter(({ mountPoint }) => mountPoint.startsWith(graphRoot))).toEqual([]);
  expect(readdirSync(join(graphRoot, 'storage/overlay2/stacks'))).toEqual([]);
});

test('options are read strictly, and a quota without project quota is refused', async () => {
  expect(() => open(['overlay2.override_kernel_check=true'])).not.toThrow();
  expect(() => open(['overlay2.override_kernel_check=maybe'])).toThrow('want true or false');
  expect(() => open(['dm.fs=ext4'])).toThrow('no such option');
  const driver = open();
  const has = driver.status().some(([name, value]) => name === 'Project Quota' && value === 'true');
  if (has) return;
  expect(() => open(['overlay2.size=10G'])).toThrow('no project quota');
  const id = newContainerId();
  await expect(driver.createContainer(id, { layers: [], quotaBytes: 1 << 20 })).rejects.toThrow('no project quota');
  expect(driver.hasContainer(id)).toBe(false);
  expect(staged()).toEqual([]);
});
