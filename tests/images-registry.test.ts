import { describe, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { Bench, bytesOf, importTar, noSignal, quiet } from './images-kit.ts';
import { haveRegistry, LocalRegistry, run } from './images-registry-kit.ts';
import { ScriptedRegistry } from './images-scripted.ts';
import type { ProgressMessage } from '../src/images/index.ts';

const plain = { all: false, platform: '', auth: undefined };

describe.skipIf(!haveRegistry)('against docker-registry', () => {
  test('what is pushed is pulled back bit by bit, by us and by skopeo', async () => {
    await using registry = await LocalRegistry.start();
    await using bench = await Bench.open();
    const image = await importTar(bench, `${registry.host}/team/app:v1`, { 'bin/': '', 'bin/run': 'x'.repeat(100_000) });
    const pushed: ProgressMessage[] = [];
    await bench.images.push({ reference: `${registry.host}/team/app:v1`, all: false, auth: undefined }, (message) => pushed.push(message), noSignal);
    const aux = pushed.find((message) => message.aux !== undefined)?.aux;
    expect(aux).toEqual({ Tag: 'v1', Digest: expect.stringMatching(/^sha256:/), Size: expect.any(Number) });
    expect(pushed.map((message) => message.status)).toContain('Pushed');

    await using other = await Bench.open();
    const statuses: string[] = [];
    const [pulled] = await other.images.pull(
      { ...plain, reference: `${registry.host}/team/app:v1` },
      (message) => statuses.push(message.status ?? ''),
      noSignal,
    );
    expect(pulled?.id).toBe(image.id);
    expect(pulled?.layers).toEqual(image.layers);
    expect(statuses).toContain(`Status: Downloaded newer image for ${registry.host}/team/app:v1`);
    expect(readdirSync(join(other.root, 'blobs', 'partial'))).toEqual([]);

    // Again: nothing to do. Pushed elsewhere: the same digest.
    const again: string[] = [];
    await other.images.pull({ ...plain, reference: `${registry.host}/team/app:v1` }, (message) => again.push(message.status ?? ''), noSignal);
    expect(again).toContain(`Status: Image is up to date for ${registry.host}/team/app:v1`);
    await other.images.tag(`${registry.host}/team/app:v1`, `${registry.host}/else`, 'x');
    const second: ProgressMessage[] = [];
    await other.images.push({ reference: `${registry.host}/else:x`, all: false, auth: undefined }, (message) => second.push(message), noSignal);
    expect(JSON.stringify(second.find((message) => message.aux !== undefined)?.aux)).toBe(JSON.stringify(aux).replace('"v1"', '"x"'));
    expect(second.map((message) => message.status)).toContain('Mounted from team/app');

    const inspected = await run(['skopeo', 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${registry.host}/else:x`]);
    expect(bench.images.resolve(`${registry.host}/team/app:v1`).repoDigests).toEqual([`${registry.host}/team/app@${inspected.trim()}`]);
    await run(['skopeo', 'copy', '--src-tls-verify=false', `docker://${registry.host}/else:x`, `oci:${join(bench.root, 'layout')}:x`]);
  });

  test('what skopeo pushed keeps its digest, by tag and by digest, and docker archives travel both ways', async () => {
    await using registry = await LocalRegistry.start();
    await using bench = await Bench.open();
    await importTar(bench, 'app:1', { hello: 'world' });
    const archive = join(bench.root, 'app.tar');
    await Bun.write(archive, await bytesOf(await bench.images.save(['app:1'], noSignal)));
    for (const format of ['v2s2', 'oci']) {
      const target = `${registry.host}/from/skopeo:${format}`;
      await run(['skopeo', 'copy', '-f', format, '--dest-tls-verify=false', `docker-archive:${archive}:app:1`, `docker://${target}`]);
      const digest = (await run(['skopeo', 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${target}`])).trim();
      const [image] = await bench.images.pull({ ...plain, reference: target }, quiet, noSignal);
      expect(image?.repoDigests).toContain(`${registry.host}/from/skopeo@${digest}`);
      const [same] = await bench.images.pull({ ...plain, reference: `${registry.host}/from/skopeo@${digest}` }, quiet, noSignal);
      expect(same).toEqual(image);
      await run(['skopeo', 'copy', `oci-archive:${archive}`, `dir:${join(bench.root, `dir-${format}`)}`]);
    }
    const all = await bench.images.pull({ ...plain, all: true, reference: `${registry.host}/from/skopeo` }, quiet, noSignal);
    expect(all.length).toBe(2);
  });

  test('search, distribution and errors', async () => {
    await using registry = await LocalRegistry.start();
    await using bench = await Bench.open();
    await importTar(bench, `${registry.host}/lib/one`, { a: '1' });
    await bench.images.push({ reference: `${registry.host}/lib/one`, all: false, auth: undefined }, quiet, noSignal);
    const rows = await bench.images.search({ term: `${registry.host}/on`, limit: 0, filters: new Map(), auth: undefined }, noSignal);
    expect(rows.map((row) => row.name)).toEqual([`${registry.host}/lib/one`]);
    expect(await bench.images.distribution(`${registry.host}/lib/one`, undefined, noSignal)).toMatchObject({ Platforms: [{ os: 'linux' }] });
    await expect(bench.images.pull({ ...plain, reference: `${registry.host}/lib/one:none` }, quiet, noSignal)).rejects.toThrow(
      `manifest for ${registry.host}/lib/one:none not found: manifest unknown`);
    await expect(bench.images.pull({ ...plain, reference: `${registry.host}/none` }, quiet, noSignal)).rejects.toThrow('manifest unknown');
    await expect(bench.images.push({ reference: `${registry.host}/none`, all: false, auth: undefined }, quiet, noSignal)).rejects.toThrow(
      `An image does not exist locally with the tag: ${registry.host}/none`);
  });

  test('a moved tag leaves the old image without a name', async () => {
    await using registry = await LocalRegistry.start();
    await using bench = await Bench.open();
    await using other = await Bench.open();
    const reference = `${registry.host}/app:latest`;
    const first = await importTar(bench, reference, { a: '1' });
    await bench.images.push({ reference, all: false, auth: undefined }, quiet, noSignal);
    await other.images.pull({ ...plain, reference }, quiet, noSignal);
    const second = await importTar(bench, reference, { a: '2' });
    await bench.images.push({ reference, all: false, auth: undefined }, quiet, noSignal);
    await other.images.pull({ ...plain, reference }, quiet, noSignal);
    expect(other.images.resolve(reference).id).toBe(second.id);
    expect(other.images.get(first.id)?.repoTags).toEqual([]);
    expect(other.images.list(new Map([['dangling', ['true']]]), false).map((image) => image.id)).toEqual([first.id]);
  });

  test('an upload that breaks is gone on with where the registry says', async () => {
    await using registry = await LocalRegistry.start();
    await using bench = await Bench.open({ retryDelayMs: 1 });
    let breaks = 0;
    await using proxy = await breakingProxy(registry.host, (seen) => seen.startsWith('PATCH') && breaks++ < 2);
    const reference = `${proxy.host}/app`;
    const image = await importTar(bench, reference, { noise: randomBytes(3_000_000) });
    await bench.images.push({ reference, all: false, auth: undefined }, quiet, noSignal);
    expect(breaks).toBeGreaterThan(2);
    await using other = await Bench.open();
    const [pulled] = await other.images.pull({ ...plain, reference: `${registry.host}/app` }, quiet, noSignal);
    expect(pulled?.id).toBe(image.id);
  });
});

/** Passes connections on, and cuts those that begin a request the test wants cut, half a megabyte into it. */
function breakingProxy(target: string, cut: (request: string) => boolean): Promise<{ host: string } & AsyncDisposable> {
  const [host = '', port = ''] = target.split(':');
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    let left = Infinity;
    client.on('data', (chunk: Buffer) => {
      if (left === Infinity && cut(chunk.subarray(0, 200).toString('latin1'))) left = 500_000;
      left -= chunk.length;
      if (left <= 0) client.destroy();
      else if (!upstream.write(chunk)) {
        client.pause();
        upstream.once('drain', () => client.resume());
      }
    });
    upstream.on('data', (chunk: Buffer) => client.write(chunk));
    for (const [one, other] of [[client, upstream], [upstream, client]] as const) {
      one.on('error', () => undefined);
      one.on('close', () => other.destroy());
    }
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve({
        host: `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`,
        [Symbol.asyncDispose]: async () => {
          server.close();
        },
      });
    });
  });
}

test('search asks the v1 API where the registry has it, with stars and filters', async () => {
  const rows = [
    { name: 'one/app', description: 'first', star_count: 7, is_official: true, is_automated: false },
    { name: 'two/app', description: '', star_count: 1, is_official: false }, 'nonsense', { description: 'nameless' },
  ];
  await using registry = await ScriptedRegistry.start((asked) => {
    if (!asked.path.startsWith('/v1/search')) return undefined;
    return { body: JSON.stringify({ results: rows }), headers: { 'content-type': 'application/json' } };
  });
  await using bench = await Bench.open();
  const search = async (filters: Map<string, string[]>) => {
    const found = await bench.images.search({ term: `${registry.host}/app`, limit: 10, filters, auth: undefined }, noSignal);
    return found.map((row) => [row.name, row.star_count]);
  };
  expect(await search(new Map())).toEqual([['one/app', 7], ['two/app', 1]]);
  expect(await search(new Map([['is-official', ['true']]]))).toEqual([['one/app', 7]]);
  expect(await search(new Map([['stars', ['2']]]))).toEqual([['one/app', 7]]);
  const [first] = registry.requests.filter(({ path }) => path.startsWith('/v1/search'));
  expect(first?.path).toContain('q=app&n=10');
});
