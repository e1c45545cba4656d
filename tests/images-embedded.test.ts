import { describe, expect, test } from 'bun:test';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bench, noSignal, quiet, streamOf } from './images-kit.ts';
import { run } from './images-registry-kit.ts';
import { digestOf } from './images-scripted.ts';

const haveTools = existsSync('/usr/bin/mksquashfs') && existsSync('/usr/sbin/losetup') && existsSync('/dev/loop-control');

/** A loop device over a squashfs image: what the root file system of an embedded image is. */
class LoopDevice implements AsyncDisposable {
  private constructor(readonly path: string) {}

  static async attach(file: string): Promise<LoopDevice | undefined> {
    return run(['losetup', '-r', '-f', '--show', file]).then((path) => new LoopDevice(path.trim()), () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run(['losetup', '-d', this.path]);
  }
}

async function squash(directory: string, files: Record<string, string>): Promise<string> {
  mkdirSync(directory, { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  await run(['mksquashfs', directory, `${directory}.img`, '-quiet', '-no-progress']);
  return `${directory}.img`;
}

function manifestOf(layers: unknown[], change: object = {}): string {
  return JSON.stringify({
    schemaVersion: 1, mediaType: 'application/embedded.manifest+json', created: '2018-03-01T15:55:44.322987811Z', imageName: 'test:v1',
    config: { env: ['A=1'], entrypoint: ['/app/run'], workdir: '/app' }, layers, ...change,
  });
}

const squashfs = 'application/squashfs.image.rootfs.diff.img';

describe.skipIf(!haveTools)('embedded images', () => {
  const load = (bench: Bench, path: string, manifest: string, sign = true) => {
    if (sign) writeFileSync(path.replace(/manifest$/, 'sgn'), digestOf(manifest));
    writeFileSync(path, manifest);
    return bench.images.load(streamOf(Buffer.from(manifest)), { tag: '', type: 'embedded', quiet: true, manifestPath: path }, quiet, noSignal);
  };

  test('its layers become one image, which runs like others but does not travel', async () => {
    await using bench = await Bench.open();
    const at = (name: string): string => join(bench.root, 'embedded', name);
    mkdirSync(at(''));
    const root = await squash(at('platform'), { base: 'base' });
    const app = await squash(at('app'), { run: 'the app' });
    await using device = await LoopDevice.attach(root);
    if (!device) return;
    const layers = [
      { mediaType: squashfs, size: 0, pathInHost: device.path },
      { mediaType: squashfs, size: 1, digest: digestOf(readFileSync(app)), pathInHost: 'app.img', pathInContainer: '/app' },
    ];
    await expect(load(bench, at('a.manifest'), manifestOf(layers), false)).rejects.toThrow("Manifest's signature file not exist");
    const [image] = await load(bench, at('test.manifest'), manifestOf(layers));
    expect(image).toMatchObject({
      type: 'embedded', repoTags: ['test:v1'], repoDigests: [], config: { config: { Env: ['A=1'], Entrypoint: ['/app/run'], WorkingDir: '/app' } },
    });
    const [layer] = image?.layers ?? [];
    if (layer === undefined) throw new Error('no layer');
    expect(readFileSync(join(bench.snapshots.layerPath(layer), 'app', 'run'), 'utf8')).toBe('the app');
    expect(readFileSync(join(bench.snapshots.layerPath(layer), 'base'), 'utf8')).toBe('base');
    await bench.reopen();
    expect(bench.images.resolve('test:v1').type).toBe('embedded');
    await expect(bench.images.save(['test:v1'], noSignal)).rejects.toThrow('not stored as archives');
    await expect(bench.images.push({ reference: 'test:v1', all: false, auth: undefined }, quiet, noSignal)).rejects.toThrow('no OCI image');
    await expect(
      load(bench, at('other.manifest'), manifestOf(layers, { created: '2019-03-01T00:00:00Z' })),
    ).rejects.toThrow('Image name is conflicted');
    await bench.images.remove('test:v1', { force: false, noPrune: false });
    expect(bench.snapshots.listLayers()).toEqual([]);

    // A link in one layer must not lead the next one out of the image.
    symlinkSync('/tmp', at('platform/evil'));
    await run(['mksquashfs', at('platform'), at('evil.img'), '-quiet', '-no-progress']);
    await using evil = await LoopDevice.attach(at('evil.img'));
    if (!evil) return;
    const through = [
      { mediaType: squashfs, size: 0, pathInHost: evil.path },
      { mediaType: squashfs, size: 1, pathInHost: 'app.img', pathInContainer: '/evil/x' },
    ];
    await expect(load(bench, at('evil.manifest'), manifestOf(through))).rejects.toThrow('leads through what is no directory');
    expect(bench.images.count()).toBe(0);
  });

  const first = { mediaType: squashfs, size: 0, pathInHost: '/dev/null' };
  test.each<[string, string, string]>([
    ['a wrong schema', manifestOf([first], { schemaVersion: 2 }), 'schema version must be 1'],
    ['another media type', manifestOf([first], { mediaType: 'x' }), 'application/embedded.manifest+json'],
    ['no name', manifestOf([first], { imageName: '' }), 'image name not exist'],
    ['a reserved name', manifestOf([first], { imageName: 'none:latest' }), 'is reserved'],
    ['no layers', manifestOf([]), 'layer empty'],
    ['a root that is no device', manifestOf([first]), 'layer is not block device'],
    ['a relative root', manifestOf([{ ...first, pathInHost: 'x' }]), 'first layer path in host must be absolute path'],
    ['a layer elsewhere', manifestOf([first, { ...first, pathInHost: '../../etc', pathInContainer: '/x' }]), 'leaves the directory'],
    ['a layer over the root', manifestOf([first, { ...first, pathInHost: 'x', pathInContainer: '/..' }]), 'must be absolute path'],
    ['the root of the host', manifestOf([{ mediaType: 'application/bind.image.rootfs.diff.dir', pathInHost: '/' }]), 'not supported'],
  ])('refuses %s', async (_, manifest, message) => {
    await using bench = await Bench.open();
    await expect(load(bench, join(bench.root, 'bad.manifest'), manifest)).rejects.toThrow(message);
    expect(bench.images.count()).toBe(0);
    expect(bench.snapshots.listLayers()).toEqual([]);
  });
});
