import { expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { isDigest } from '../src/base/index.ts';
import { Bench, bytesOf, importTar, noSignal, quiet, streamOf, tarOf } from './images-kit.ts';

function filters(values: Record<string, string[]>): Map<string, string[]> {
  return new Map(Object.entries(values));
}

test('import makes an image of one layer that a restart finds again', async () => {
  await using bench = await Bench.open();
  const image = await importTar(bench, 'app:v1', { 'bin/': '', 'bin/run': 'hello' }, ['CMD ["/bin/run"]', 'ENV A=1 B="two words"', 'WORKDIR /srv']);
  expect(image.repoTags).toEqual(['app:v1']);
  expect(image.config.config).toEqual({ Cmd: ['/bin/run'], Env: ['A=1', 'B=two words'], WorkingDir: '/srv' });
  const [layer] = image.layers;
  if (layer === undefined) throw new Error('no layer');
  expect(readFileSync(join(bench.snapshots.layerPath(layer), 'bin/run'), 'utf8')).toBe('hello');
  await bench.reopen();
  expect(bench.images.resolve('app:v1')).toEqual(image);
  expect(bench.images.resolve(image.id.slice(7, 15)).id).toBe(image.id);
  expect(bench.images.history('app:v1')).toEqual([
    { Id: image.id, Created: expect.any(Number), CreatedBy: '', Tags: ['app:v1'], Size: image.size, Comment: 'made for a test' },
  ]);
  expect(() => bench.images.resolve('app:v2')).toThrow('No such image: app:v2');
  expect(() => bench.images.resolve('none')).toThrow('No such image: none:latest');
});

test('a compressed import has the same layer as a plain one', async () => {
  await using bench = await Bench.open();
  const tar = tarOf({ file: 'x'.repeat(5000) });
  const options = { reference: '', message: '', changes: [], platform: 'linux/arm64' };
  const plain = await bench.images.import(streamOf(tar), options, quiet, noSignal);
  const packed = await bench.images.import(streamOf(gzipSync(tar)), options, quiet, noSignal);
  expect(packed.layers).toEqual(plain.layers);
  expect(packed.config.architecture).toBe('arm64');
  expect(packed.repoTags).toEqual([]);
});

test('save and load carry several images with names, shared layers once', async () => {
  await using bench = await Bench.open();
  const one = await importTar(bench, 'one:a', { shared: 'same' });
  await bench.images.tag('one:a', 'example.com:5000/other', 'b');
  const two = await importTar(bench, 'two', { shared: 'same' }, ['LABEL n=2']);
  const archive = await bytesOf(await bench.images.save(['one', 'example.com:5000/other:b', two.id], noSignal));
  expect(archive.includes('oci-layout')).toBe(true);
  await using other = await Bench.open();
  const messages: string[] = [];
  const loaded = await other.images.load(
    streamOf(gzipSync(archive)),
    { tag: '', type: 'oci', quiet: false },
    (message) => messages.push(message.stream ?? ''),
    noSignal,
  );
  expect(loaded.map((image) => image.id).toSorted()).toEqual([one.id, two.id].toSorted());
  expect(other.images.resolve('one:a').repoTags).toEqual(['one:a', 'example.com:5000/other:b']);
  expect(other.images.get(two.id)?.repoTags).toEqual([]);
  expect(messages).toContain('Loaded image: one:a\n');
  expect(messages).toContain(`Loaded image ID: ${two.id}\n`);
  expect(readdirSync(join(other.root, 'blobs', 'sha256')).length).toBe(1);
  // What was loaded is saved as the same bytes.
  expect((await bytesOf(await other.images.save(['one', 'example.com:5000/other:b', two.id], noSignal))).equals(archive)).toBe(true);
});

test('a large plain layer is unpacked as it is in the archive, and may not be another under its digest', async () => {
  await using bench = await Bench.open();
  // Headers, and pieces of files, fall on every side of the boundaries between what is read at once.
  const files = Object.fromEntries([...Array(40).keys()].map((file) => [`dir-${file % 3}/file-${file}`, randomBytes(7_001 * file)]));
  const tar = tarOf(files);
  const image = await bench.images.load(streamOf(dockerArchive(tar, digestOf(tar))), { tag: 'big', type: 'oci', quiet: true }, quiet, noSignal);
  const [layer = ''] = image[0]?.layers ?? [];
  const root = isDigest(layer) ? bench.snapshots.layerPath(layer) : '';
  for (const [name, content] of Object.entries(files)) expect(readFileSync(join(root, name)).equals(content)).toBe(true);
  const blob = readFileSync(join(bench.root, 'blobs', 'sha256', digestOf(tar).slice('sha256:'.length)));
  expect(blob.equals(tar)).toBe(true);
  const packed = gzipSync(tar);
  const another = tarOf({ ...files, more: '' });
  const cut = tar.subarray(0, -200_000);
  const refused = [
    ['wrong checksum', dockerArchive(packed, digestOf(packed))],
    [`its content hashes to ${digestOf(another)}`, dockerArchive(another, digestOf(tarOf({ ...files, other: '' })))],
    ['it ends in the middle of an entry', dockerArchive(cut, digestOf(cut))],
  ] as const;
  for (const [why, archive] of refused) {
    await expect(bench.images.load(streamOf(archive), { tag: 'bad', type: 'oci', quiet: true }, quiet, noSignal)).rejects.toThrow(why);
  }
  expect(bench.snapshots.listLayers()).toEqual([layer].filter(isDigest));
  expect(readdirSync(join(bench.root, 'storage', 'overlay2', 'staging'))).toEqual([]);
});

test('load --tag renames, and refuses an archive of several images', async () => {
  await using bench = await Bench.open();
  await importTar(bench, 'one', { a: '1' });
  await importTar(bench, 'two', { a: '2' });
  const single = await bytesOf(await bench.images.save(['one'], noSignal));
  const both = await bytesOf(await bench.images.save(['one', 'two'], noSignal));
  await using other = await Bench.open();
  const [image] = await other.images.load(streamOf(single), { tag: 'renamed:x', type: 'oci', quiet: true }, quiet, noSignal);
  expect(image?.repoTags).toEqual(['renamed:x']);
  const refused = other.images.load(streamOf(both), { tag: 'renamed:x', type: 'oci', quiet: true }, quiet, noSignal);
  await expect(refused).rejects.toThrow('it has 2 images');
  expect(other.images.count()).toBe(1);
});

test('a name that moves leaves the old image dangling', async () => {
  await using bench = await Bench.open();
  const first = await importTar(bench, 'app', { a: '1' });
  const second = await importTar(bench, 'app', { a: '2' });
  expect(bench.images.resolve('app').id).toBe(second.id);
  expect(bench.images.list(filters({ dangling: ['true'] }), false).map((image) => image.id)).toEqual([first.id]);
  const { reports, spaceReclaimed } = await bench.images.prune(filters({}));
  expect(reports[0]).toEqual({ Deleted: first.id });
  expect(spaceReclaimed).toBeGreaterThan(0);
  expect(bench.images.count()).toBe(1);
  expect(bench.snapshots.listLayers()).toEqual([...second.layers]);
  expect(readdirSync(join(bench.root, 'blobs', 'sha256')).length).toBe(1);
});

test('list filters', async () => {
  await using bench = await Bench.open();
  await importTar(bench, 'lib/one:1', { a: '1' }, ['LABEL k=v']);
  await importTar(bench, 'two:2', { a: '2' }, ['LABEL k=w']);
  const names = (values: Record<string, string[]>): string[] => bench.images.list(filters(values), false).flatMap((image) => [...image.repoTags]);
  expect(names({})).toEqual(['two:2', 'lib/one:1']);
  expect(names({ label: ['k=v'] })).toEqual(['lib/one:1']);
  expect(names({ 'label!': ['k=v'] })).toEqual(['two:2']);
  expect(names({ since: ['lib/one:1'] })).toEqual(['two:2']);
  expect(names({ before: ['two:2'] })).toEqual(['lib/one:1']);
  expect(names({ reference: ['*/one'] })).toEqual(['lib/one:1']);
  expect(names({ reference: ['t*:2'] })).toEqual(['two:2']);
  expect(() => names({ nonsense: ['x'] })).toThrow("invalid filter 'nonsense'");
});

test('removal: untag, delete, and what stands in its way', async () => {
  await using bench = await Bench.open();
  const image = await importTar(bench, 'app:1', { a: '1' });
  await bench.images.tag('app:1', 'app', '2');
  await bench.images.tag('app:1', 'other', '');
  const gentle = { force: false, noPrune: false };
  expect(await bench.images.remove('app:1', gentle)).toEqual([{ Untagged: 'app:1' }]);
  await expect(bench.images.remove(image.id.slice(7, 19), gentle)).rejects.toThrow(
    `conflict: unable to delete ${image.id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`);
  const containerId = 'c'.repeat(64);
  let running = true;
  bench.images.bind({ uses: () => [{ containerId, running }], event: () => undefined });
  await bench.images.remove('app:2', gentle);
  await expect(bench.images.remove('other', gentle)).rejects.toThrow(
    'conflict: unable to remove repository reference "other" (must force) - container cccccccccccc is using its referenced image');
  await expect(bench.images.remove(image.id, { force: true, noPrune: false })).rejects.toThrow(
    '(cannot be forced) - image is being used by running container cccccccccccc',
  );
  running = false;
  await expect(bench.images.remove(image.id, gentle)).rejects.toThrow('(must be forced) - image is being used by stopped container cccccccccccc');
  expect(await bench.images.remove(image.id, { force: true, noPrune: false })).toEqual([
    { Untagged: 'other:latest' }, { Deleted: image.id }, { Deleted: image.layers[0] ?? '' },
  ]);
  expect(bench.images.count()).toBe(0);
  await expect(bench.images.remove('other', gentle)).rejects.toThrow('No such image: other:latest');
});

test('commit puts a layer on its parent, which then cannot be deleted first', async () => {
  await using bench = await Bench.open();
  const parent = await importTar(bench, 'base', { a: '1' }, ['ENV X=1']);
  const child = await bench.images.commit({
    reference: 'child:1', author: 'me', comment: 'why', changes: ['ENV Y=2'], config: { Env: ['X=1'], Cmd: ['sh'] }, parent,
    layer: streamOf(tarOf({ b: '2' })),
  }, noSignal);
  expect(child.layers.length).toBe(2);
  expect(child.config.config?.Env).toEqual(['X=1', 'Y=2']);
  expect(bench.images.history('child:1').map((row) => row.Id)).toEqual([child.id, parent.id]);
  await expect(bench.images.remove(parent.id, { force: true, noPrune: false })).rejects.toThrow('image has dependent child images');
  await bench.images.remove('base', { force: false, noPrune: false });
  expect(bench.images.count()).toBe(2);
  await bench.images.remove('child:1', { force: false, noPrune: false });
  expect(bench.images.count()).toBe(0);
  expect(bench.snapshots.listLayers()).toEqual([]);
});

test('recovery removes what no image names, and nothing else', async () => {
  await using bench = await Bench.open();
  const image = await importTar(bench, 'app', { a: '1' });
  const stray = join(bench.root, 'blobs', 'sha256', 'f'.repeat(64));
  writeFileSync(stray, 'left by a crash');
  writeFileSync(join(bench.root, 'blobs', 'ingest', 'half'), 'half');
  await bench.reopen();
  expect(existsSync(stray)).toBe(false);
  expect(readdirSync(join(bench.root, 'blobs', 'ingest'))).toEqual([]);
  expect(bench.images.resolve('app')).toEqual(image);
});

test('image-layer-check makes the images of a damaged layer unusable, and only those', async () => {
  await using bench = await Bench.open();
  const good = await importTar(bench, 'good', { a: '1' });
  const bad = await importTar(bench, 'bad', { 'dir/': '', 'dir/file': 'content', empty: '' });
  await bench.reopen({ layerCheck: true });
  expect(bench.images.resolve('bad')).toEqual(bad);
  const [layer] = bad.layers;
  if (layer === undefined) throw new Error('no layer');
  writeFileSync(join(bench.snapshots.layerPath(layer), 'dir', 'file'), 'CONTENT');
  await bench.reopen({ layerCheck: true });
  expect(() => bench.images.resolve('bad')).toThrow('/dir/file of layer');
  expect(bench.images.resolve('good')).toEqual(good);
  expect(bench.images.list(new Map(), false).length).toBe(2);
  await bench.images.remove('bad', { force: false, noPrune: false });
  await importTar(bench, 'bad', { 'dir/': '', 'dir/file': 'content', empty: '' });
  expect(bench.images.resolve('bad').layers).toEqual(bad.layers);
});

test.each([
  ['no archive', Buffer.from('hello world'), 'Cannot load the archive'],
  ['an empty stream', Buffer.alloc(0), 'Cannot load the archive'],
  ['no manifest', tarOf({ file: 'x' }), 'neither a manifest.json'],
  ['an old format', tarOf({ repositories: '{}' }), 'docker before 1.10'],
  ['a missing layer', archiveOf(['../../etc/passwd'], ['a']), 'it lacks "../../etc/passwd"'],
  ['a layer that is another', archiveOf(['l'], ['a'], { l: tarOf({ x: '' }) }), 'its content hashes to'],
  ['too few layers', archiveOf([], ['a']), 'its configuration lists 1'],
  ['bad names', tarOf({ 'manifest.json': '[{"Config":"c.json","RepoTags":["A B"],"Layers":[]}]', 'c.json': config([]) }), 'invalid reference format'],
])('load of %s is refused and leaves nothing', async (_, archive, message) => {
  await using bench = await Bench.open();
  await expect(bench.images.load(streamOf(archive), { tag: '', type: 'oci', quiet: true }, quiet, noSignal)).rejects.toThrow(message);
  expect(bench.images.count()).toBe(0);
  expect(bench.snapshots.listLayers()).toEqual([]);
  expect(readdirSync(join(bench.root, 'blobs', 'sha256'))).toEqual([]);
  expect(readdirSync(join(bench.root, 'blobs', 'ingest'))).toEqual([]);
});

function config(layers: string[]): string {
  const diffIds = layers.map((digit) => `sha256:${digit.repeat(64)}`);
  return JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: diffIds } });
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${new Bun.CryptoHasher('sha256').update(bytes).digest('hex')}`;
}

function dockerArchive(layer: Uint8Array, diffId: string): Buffer {
  const document = JSON.stringify({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [diffId] } });
  return tarOf({ 'l': layer, 'c.json': document, 'manifest.json': '[{"Config":"c.json","RepoTags":null,"Layers":["l"]}]' });
}

function archiveOf(files: string[], layers: string[], content: Record<string, Uint8Array> = {}): Buffer {
  return tarOf({ 'manifest.json': JSON.stringify([{ Config: 'c.json', RepoTags: null, Layers: files }]), 'c.json': config(layers), ...content });
}
