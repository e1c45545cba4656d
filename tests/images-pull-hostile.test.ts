import { expect, test } from 'bun:test';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, rmdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Bench, noSignal, quiet, streamOf, tarOf } from './images-kit.ts';
import { run } from './images-registry-kit.ts';
import { digestOf, manifestFor, ociIndex, ociManifest, ranged, sampleImage, ScriptedRegistry, serve } from './images-scripted.ts';
import type { Answer, Asked } from './images-scripted.ts';

const plain = { all: false, platform: '', auth: undefined };

async function attempt(script: (asked: Asked) => Answer | undefined): Promise<{ result: string; asked: readonly Asked[] }> {
  await using registry = await ScriptedRegistry.start(script);
  await using bench = await Bench.open({ retryDelayMs: 1 });
  const result = await bench.images.pull(
    { ...plain, reference: `${registry.host}/app` },
    quiet,
    noSignal,
  ).then(() => 'pulled', (error: unknown) => String(error));
  if (result !== 'pulled') {
    expect(bench.images.count()).toBe(0);
    expect(bench.snapshots.listLayers()).toEqual([]);
    expect(readdirSync(join(bench.root, 'blobs', 'sha256'))).toEqual([]);
    expect(readdirSync(join(bench.root, 'blobs', 'ingest'))).toEqual([]);
  }
  return { result, asked: registry.requests };
}

const image = sampleImage();
const isLayer = (asked: Asked): boolean => asked.path.endsWith(digestOf(image.layer));
const index = (manifests: unknown[]): Answer => {
  return { body: JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests }), headers: { 'content-type': ociIndex } };
};
const changed = (change: (manifest: Record<string, unknown>) => void): string => {
  const manifest: Record<string, unknown> = JSON.parse(image.manifest);
  change(manifest);
  return JSON.stringify(manifest);
};
const withManifest = (manifest: string) => (asked: Asked): Answer | undefined => serve({ ...image, manifest }, asked);
const withLayer = (body: Uint8Array) => (asked: Asked): Answer | undefined => (isLayer(asked) ? { body } : serve(image, asked));
const host = { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' };
const bomb = gzipSync(tarOf({ zeros: new Uint8Array(1024 * 1024) }));

test.each<[string, (asked: Asked) => Answer | undefined, string]>([
  ['a good image', (asked) => serve(image, asked), 'pulled'],
  ['a layer of another content', withLayer(gzipSync('x')), 'Cannot fetch blob'],
  ['a layer with a wrong byte', withLayer(Buffer.from(image.layer).fill(0, 20, 21)), 'filesystem layer verification failed'],
  ['a layer that is too long', withLayer(Buffer.concat([image.layer, image.layer])), 'it is longer than'],
  ['a layer that always breaks off', (asked) => (isLayer(asked) ? { body: image.layer, cutAfter: 0 } : serve(image, asked)), 'Cannot fetch blob'],
  ['a tag that does not exist', () => undefined, 'not found'],
  ['a web page', () => ({ body: '<html>', headers: { 'content-type': 'text/html' } }), 'is it a registry?'],
  ['a manifest that is no JSON', withManifest('nonsense'), 'not valid JSON'],
  ['a manifest of another digest', (asked) => (asked.path.includes('/manifests/') && asked.method === 'GET'
    ? { body: image.manifest, headers: { 'content-type': ociManifest, 'docker-content-digest': `sha256:${'a'.repeat(64)}` } }
    : serve(image, asked)), 'its content hashes to'],
  ['schema 1', withManifest('{"schemaVersion":1}'), 'schema 1'],
  ['an artifact', withManifest(changed((manifest) => {
    manifest['layers'] = [{ mediaType: 'text/plain', digest: digestOf(''), size: 0 }];
  })), 'layer media type "text/plain" is not supported'],
  ['a layer said to have 100 GB', withManifest(changed((manifest) => {
    manifest['layers'] = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf('x'), size: 100 * 1024 ** 3 }];
  })), 'is said to have 107374182400 bytes'],
  ['10,000 layers', withManifest(changed((manifest) => {
    manifest['layers'] = Array.from(
      { length: 10_000 },
      () => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf('x'), size: 1 }),
    );
  })), '"layers" has 10000 items'],
  ['more layers than diff ids', withManifest(manifestFor(image.config, [image.layer, image.layer])), 'its configuration lists 1'],
  ['a huge manifest', withManifest(JSON.stringify({ schemaVersion: 2, pad: 'x'.repeat(5 * 1024 * 1024) })), 'larger than'],
  ['an index that names itself', (asked) => (asked.path.includes('/manifests/')
    ? index(
      [{ mediaType: ociIndex, digest: digestOf('never'), size: 1, platform: host }],
    ) : undefined), 'hashes to'],
  ['an index without this platform', (asked) => (asked.path.includes('/manifests/')
    ? index(
      [{ mediaType: ociManifest, digest: digestOf('x'), size: 1, platform: { os: 'plan9', architecture: 'vax' } }],
    ) : undefined), 'there are plan9/vax'],
  ['a huge index', (asked) => (asked.path.includes('/manifests/')
    ? index(
      Array.from({ length: 1001 }, () => ({ mediaType: ociManifest, digest: digestOf('x'), size: 1 })),
    ) : undefined), '"manifests" has 1001 items'],
  ['a layer whose content is another than the configuration says', (asked) => {
    return serve({ ...image, layer: bomb, manifest: manifestFor(image.config, [bomb]) }, asked);
  }, 'its content hashes to'],
  ['redirects in a circle', (asked) => ({ status: 302, headers: { location: asked.path } }), 'more than 10 redirects'],
  ['a redirect to a file', () => ({ status: 302, headers: { location: 'file:///etc/passwd' } }), 'no http(s) URL'],
  ['endless server errors', () => ({ status: 503 }), 'status 503'],
  ['hanging up', (asked) => (asked.path === '/v2/' ? {} : { hangUp: true }), 'Get "http'],
])('%s', async (_, script, message) => {
  const { result } = await attempt(script);
  expect(result).toContain(message);
});

test('a bomb, by pull, load and import, ends at the limit and leaves nothing', async () => {
  const boom = sampleImage(new Uint8Array(8 * 1024 * 1024));
  expect(boom.layer.length).toBeLessThan(16_384);
  await using registry = await ScriptedRegistry.start((asked) => serve(boom, asked));
  await using bench = await Bench.open({ layerBytesMax: 1024 * 1024 });
  const archive = tarOf({
    'manifest.json': JSON.stringify([{ Config: 'c.json', RepoTags: ['boom:1'], Layers: ['layer'] }]), 'c.json': boom.config, layer: boom.layer,
  });
  const attempts = [
    bench.images.pull({ ...plain, reference: `${registry.host}/app` }, quiet, noSignal),
    bench.images.load(streamOf(archive), { tag: '', type: 'oci', quiet: true }, quiet, noSignal),
    bench.images.import(streamOf(boom.layer), { reference: 'boom', message: '', changes: [], platform: '' }, quiet, noSignal),
  ];
  for (const result of await Promise.allSettled(attempts)) {
    expect(result.status === 'rejected' ? String(result.reason) : 'done').toContain('more than 1048576 bytes');
  }
  expect([bench.images.count(), bench.snapshots.listLayers()]).toEqual([0, []]);
  expect(await bench.images.check({ repair: false, content: true }, noSignal)).toEqual([]);
});

test.each<[string, Answer]>([
  ['too many requests', { status: 429, headers: { 'retry-after': '0' } }], ['a server error', { status: 500 }], ['a reset', { hangUp: true }],
])('%s, twice at every address, is only waited out', async (_, refusal) => {
  const refused = new Map<string, number>();
  const { result } = await attempt((asked) => {
    const key = `${asked.method} ${asked.path}`;
    const times = refused.get(key) ?? 0;
    refused.set(key, times + 1);
    return times < 2 && asked.path !== '/v2/' ? refusal : serve(image, asked);
  });
  expect(result).toBe('pulled');
});

test('a connection that breaks is gone on with by Range, where it broke', async () => {
  const large = sampleImage(randomBytes(300_000));
  let breaks = 0;
  const { result, asked } = await attempt((request) => {
    if (!request.path.endsWith(digestOf(large.layer))) return serve(large, request);
    const rest = ranged(large.layer, request);
    return breaks++ < 3 ? { ...rest, cutAfter: 80_000 } : rest;
  });
  expect(result).toBe('pulled');
  const requests = asked.filter(({ path }) => path.endsWith(digestOf(large.layer)));
  const from = requests.map(({ headers }) => Number(/\d+/.exec(headers.get('range') ?? '0')?.[0]));
  expect(from.length).toBe(4);
  // How much of what came just before the break is given to us is the kernel's and Bun's affair; going back is not.
  expect(from).toEqual(from.toSorted((a, b) => a - b));
});

test('what a cancelled pull fetched is used by the next, also after a restart', async () => {
  const large = sampleImage(randomBytes(300_000));
  let stall = true;
  await using registry = await ScriptedRegistry.start((request) => {
    if (!request.path.endsWith(digestOf(large.layer))) return serve(large, request);
    return { ...ranged(large.layer, request), ...(stall ? { cutAfter: 100_000, stall: true } : {}) };
  });
  await using bench = await Bench.open({ retryDelayMs: 1 });
  const cancel = new AbortController();
  const reference = `${registry.host}/app`;
  const pulling = bench.images.pull({ ...plain, reference }, quiet, cancel.signal);
  const partial = join(bench.root, 'blobs', 'partial', digestOf(large.layer).slice(7));
  while (!readdirSync(join(bench.root, 'blobs', 'partial')).length || statSync(partial).size < 100_000) await Bun.sleep(2);
  cancel.abort();
  await expect(pulling).rejects.toThrow('abort');
  expect(bench.images.count()).toBe(0);
  stall = false;
  await bench.reopen({ retryDelayMs: 1 });
  await bench.images.pull({ ...plain, reference }, quiet, noSignal);
  expect(registry.requests.at(-1)?.headers.get('range')).toBe('bytes=100000-');
  expect(readdirSync(join(bench.root, 'blobs', 'partial'))).toEqual([]);
});

test('prune takes what cancelled pulls left, and nothing of a pull that goes on', async () => {
  const large = sampleImage(randomBytes(300_000));
  await using registry = await ScriptedRegistry.start((asked) => {
    return asked.path.endsWith(digestOf(large.layer)) ? { body: large.layer, cutAfter: 100_000, stall: true } : serve(large, asked);
  });
  await using bench = await Bench.open();
  const cancel = new AbortController();
  const pulling = bench.images.pull({ ...plain, reference: `${registry.host}/app` }, quiet, cancel.signal);
  const partial = join(bench.root, 'blobs', 'partial', digestOf(large.layer).slice(7));
  while (!existsSync(partial) || statSync(partial).size < 100_000) await Bun.sleep(2);
  const freed = async (filters: [string, string[]][], dryRun = false) => (await bench.images.prune(new Map(filters), { dryRun })).spaceReclaimed;
  expect(await freed([])).toBe(0);
  cancel.abort();
  await expect(pulling).rejects.toThrow('abort');
  while ((await freed([], true)) === 0) await Bun.sleep(2);
  expect([await freed([['label', ['a']]]), existsSync(partial)]).toEqual([0, true]);
  expect([await freed([]), existsSync(partial)]).toEqual([100_000, false]);
});

test('a partial file that lost bytes is fetched anew', async () => {
  await using registry = await ScriptedRegistry.start((request) => (isLayer(request) ? ranged(image.layer, request) : serve(image, request)));
  await using bench = await Bench.open();
  await Bun.write(join(bench.root, 'blobs', 'partial', digestOf(image.layer).slice(7)), new Uint8Array(50));
  await bench.images.pull({ ...plain, reference: `${registry.host}/app` }, quiet, noSignal);
  expect(bench.images.count()).toBe(1);
});

test('several pulls of the same image fetch its layer once, and one may leave', async () => {
  await using registry = await ScriptedRegistry.start((asked) => serve(image, asked));
  await using bench = await Bench.open();
  const reference = `${registry.host}/app`;
  const cancel = new AbortController();
  const pulls = [1, 2, 3].map(() => bench.images.pull({ ...plain, reference }, quiet, noSignal));
  const leaving = bench.images.pull({ ...plain, reference }, quiet, cancel.signal);
  cancel.abort();
  await expect(leaving).rejects.toThrow('abort');
  const images = await Promise.all(pulls);
  expect(new Set(images.map(([each]) => each?.id)).size).toBe(1);
  expect(registry.requests.filter(isLayer).length).toBe(1);
});

test('a layer that others are before says so: waiting, downloading, extracting, done', async () => {
  const second = sampleImage('second');
  const config = image.config.replace(/("diff_ids":\[)(.*?)\]/, `$1$2,"${digestOf(second.tar)}"]`);
  const both = { layer: image.layer, config, manifest: manifestFor(config, [image.layer, second.layer]) };
  await using registry = await ScriptedRegistry.start((asked) => serve(asked.path.endsWith(digestOf(second.layer)) ? second : both, asked));
  await using bench = await Bench.open({ maxConcurrentDownloads: 1 });
  const seen: string[] = [];
  const id = digestOf(second.layer).slice(7, 19);
  await bench.images.pull({ ...plain, reference: `${registry.host}/app` }, (message) => {
    if (message.id === id && message.status !== seen.at(-1)) seen.push(message.status ?? '');
  }, noSignal);
  expect(seen).toEqual(['Pulling fs layer', 'Waiting', 'Downloading', 'Download complete', 'Extracting', 'Pull complete']);
});

test('credentials go to the registry only, not to where it redirects', async () => {
  await using store = await ScriptedRegistry.start(() => ({ body: image.layer }));
  await using registry = await ScriptedRegistry.start((asked) => {
    if (!asked.headers.has('authorization')) return { status: 401, headers: { 'www-authenticate': 'Basic realm="x"' } };
    return isLayer(asked) ? { status: 307, headers: { location: `http://${store.host}/blob` } } : serve(image, asked);
  });
  await using bench = await Bench.open();
  await bench.images.pull({ ...plain, reference: `${registry.host}/app`, auth: { username: 'me', password: 'secret' } }, quiet, noSignal);
  expect(store.requests.length).toBe(1);
  expect(store.requests[0]?.headers.has('authorization')).toBe(false);
});

test('mirrors are asked first and passed over when they fail', async () => {
  await using bad = await ScriptedRegistry.start(() => ({ status: 500 }));
  await using empty = await ScriptedRegistry.start(() => undefined);
  await using good = await ScriptedRegistry.start((asked) => serve(image, asked));
  await using bench = await Bench.open({ retryDelayMs: 1, registryMirrors: [`http://${bad.host}`, empty.host, `http://${good.host}/`, 'docker.io'] });
  const [pulled] = await bench.images.pull({ ...plain, reference: 'app', auth: { username: 'me', password: 'for the hub' } }, quiet, noSignal);
  expect(pulled?.repoTags).toEqual(['app:latest']);
  expect(good.requests.some(({ path }) => path.startsWith('/v2/library/app/manifests/'))).toBe(true);
  for (const mirror of [bad, empty, good]) expect(mirror.requests.every(({ headers }) => !headers.has('authorization'))).toBe(true);
});

test('a full disk in the middle is said as such, and leaves nothing but what can be gone on with', async () => {
  const mountPoint = mkdtempSync(join(tmpdir(), 'isula-small-'));
  await run(['mount', '-t', 'tmpfs', '-o', 'size=6m', 'none', mountPoint]);
  try {
    const downloads = sampleImage(randomBytes(8_000_000));
    const unpacks = sampleImage(new Uint8Array(8_000_000));
    for (const large of [downloads, unpacks]) {
      await using registry = await ScriptedRegistry.start((asked) => serve(large, asked));
      await using bench = await Bench.open({ retryDelayMs: 1 }, mountPoint);
      const pulling = bench.images.pull({ ...plain, reference: `${registry.host}/app` }, quiet, noSignal);
      await expect(pulling).rejects.toThrow('no space left on device');
      expect(bench.images.count()).toBe(0);
      expect(bench.snapshots.listLayers()).toEqual([]);
      expect(readdirSync(join(bench.root, 'blobs', 'ingest'))).toEqual([]);
    }
  } finally {
    await run(['umount', mountPoint]);
    rmdirSync(mountPoint);
  }
});

test('a platform is chosen from an index, and kept apart from others', async () => {
  const other = sampleImage('arm');
  const armConfig = other.config.replace('amd64', 'arm');
  const arm: typeof image = { ...other, config: armConfig, manifest: manifestFor(armConfig, [other.layer]) };
  const document = JSON.stringify({ schemaVersion: 2, mediaType: ociIndex, manifests: [
    { mediaType: ociManifest, digest: digestOf(image.manifest), size: 1, platform: { os: 'linux', architecture: 'amd64' } },
    { mediaType: ociManifest, digest: digestOf(arm.manifest), size: 1, platform: { os: 'linux', architecture: 'arm', variant: 'v7' } },
    { mediaType: ociManifest, digest: digestOf('attestation'), size: 1, platform: { os: 'unknown', architecture: 'unknown' } },
  ] });
  await using registry = await ScriptedRegistry.start((asked) => {
    if (asked.path.endsWith('/manifests/latest')) {
      return { body: document, headers: { 'content-type': ociIndex, 'docker-content-digest': digestOf(document) } };
    }
    if (asked.path.endsWith(digestOf(arm.manifest))) return { body: arm.manifest, headers: { 'content-type': ociManifest } };
    return serve(asked.path.endsWith(digestOf(arm.config)) || asked.path.endsWith(digestOf(arm.layer)) ? arm : image, asked);
  });
  await using bench = await Bench.open();
  const reference = `${registry.host}/app`;
  const [first] = await bench.images.pull({ ...plain, reference, platform: 'linux/amd64' }, quiet, noSignal);
  const [second] = await bench.images.pull({ ...plain, reference, platform: 'linux/arm/v7' }, quiet, noSignal);
  expect(String(first?.id)).toBe(digestOf(image.config));
  expect(String(second?.id)).toBe(digestOf(arm.config));
  expect(bench.images.resolve(reference).id === second?.id).toBe(true);
  // Without a platform it is this host's again, whatever was chosen last.
  if (process.arch === 'x64') {
    const [again] = await bench.images.pull({ ...plain, reference }, quiet, noSignal);
    expect(String(again?.id)).toBe(digestOf(image.config));
  }
  // A digest decides, and leaves the tag beside it alone.
  const exact = `${registry.host}/app@${digestOf(arm.manifest)}`;
  for (let times = 0; times < 2; times++) {
    await bench.images.pull({ ...plain, reference: exact.replace('@', ':v9@') }, quiet, noSignal);
    expect(String(bench.images.resolve(exact).id)).toBe(digestOf(arm.config));
    expect(() => bench.images.resolve(`${registry.host}/app:v9`)).toThrow('No such image');
  }
});
