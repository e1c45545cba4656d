import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { at, dockerClients, runCommand, useDaemon, waitUntil } from './harness/index.ts';
import { tarOf } from './images-kit.ts';
import { haveRegistry, LocalRegistry } from './images-registry-kit.ts';
import { digestOf, sampleImage, ScriptedRegistry, serve } from './images-scripted.ts';

const daemon = useDaemon({ config: { 'insecure-registries': ['127.0.0.0/8'] } });
const password = 'correct horse';
let dir = '';
let open: LocalRegistry;
let closed: LocalRegistry;
const registries = new AsyncDisposableStack();

beforeAll(async () => {
  dir = mkdtempSync('/tmp/isula-images-cli-');
  if (!haveRegistry) return;
  open = registries.use(await LocalRegistry.start());
  const hash = await Bun.password.hash(password, { algorithm: 'bcrypt', cost: 4 });
  closed = registries.use(await LocalRegistry.start({ htpasswd: `me:${hash}\n` }));
});
afterAll(async () => {
  await registries.disposeAsync();
  rmSync(dir, { recursive: true, force: true });
});

async function image(name: string): Promise<unknown> {
  return (await daemon.http('GET', `/images/${name}/json`)).json();
}

/** An image of busybox and one more layer of so many random bytes. */
async function makeImage(name: string, bytes: number): Promise<string> {
  await daemon.ok(['create', '--name', 'maker', 'busybox', 'true']);
  writeFileSync(join(dir, 'random'), crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536))));
  Bun.spawnSync(['truncate', '-s', String(bytes), join(dir, 'random')]);
  await daemon.ok(['cp', join(dir, 'random'), 'maker:/random']);
  const id = await daemon.ok(['commit', '-m', 'random', 'maker', name]);
  await daemon.ok(['rm', 'maker']);
  return id;
}

describe.skipIf(!haveRegistry)('registries', () => {
  test('push and pull give the same image; an unchanged tag is up to date; -q, -a, by digest; a moved tag', async () => {
    const one = `${open.host}/team/app:1`;
    const id = await makeImage(one, 3_000_000);
    const pushed = await daemon.ok(['push', one]);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? '';
    expect(pushed).toContain('Pushed');
    expect((await runCommand(['skopeo', 'inspect', '--tls-verify=false', '--format', '{{.Digest}}', `docker://${one}`])).stdout.trim()).toBe(digest);
    expect(await daemon.ok(['push', one])).toContain('Layer already exists');
    await daemon.ok(['tag', one, `${open.host}/other/app:2`]);
    expect(await daemon.ok(['push', `${open.host}/other/app:2`])).toContain('Mounted from team/app');
    await daemon.ok(['rmi', one, `${open.host}/other/app:2`]);
    expect(await daemon.ok(['pull', one])).toContain(`Image "${open.host}/team/app@${digest}" pulled`);
    expect(at(await image(one), 'Id')).toBe(id);
    expect(await daemon.ok(['pull', one])).toContain('Image is up to date');
    expect(await daemon.ok(['pull', '-q', one])).toBe(one);
    await daemon.ok(['tag', 'busybox', `${open.host}/team/app:b`]);
    await daemon.ok(['push', '-q', `${open.host}/team/app:b`]);
    await daemon.ok(['rmi', one, `${open.host}/team/app:b`]);
    await daemon.ok(['pull', '-a', `${open.host}/team/app`]);
    expect((await daemon.ok(['images', '--format', '{{.Tag}}', `${open.host}/team/app`])).split('\n').toSorted()).toEqual(['1', 'b']);
    await daemon.ok(['pull', `${open.host}/team/app@${digest}`]);
    // The tag moves to busybox: the old image is shown as none.
    await runCommand(['skopeo', 'copy', '--src-tls-verify=false', '--dest-tls-verify=false', `docker://${open.host}/team/app:b`, `docker://${one}`]);
    await daemon.ok(['pull', one]);
    expect(await daemon.ok(['images', '--no-trunc', '--format', '{{.Ref}} {{.ID}}'])).toContain(`<none> ${id}`);
    await daemon.ok(['rmi', id]);
  });

  test('login is verified, kept sealed and private, used, and forgotten; failures are clear', async () => {
    const name = `${closed.host}/mine/app:1`;
    await daemon.ok(['tag', 'busybox', name]);
    expect((await daemon.isula(['push', name])).stderr).toContain('unauthorized');
    const wrong = await daemon.isula(['login', '-u', 'me', '--password-stdin', closed.host], { input: 'wrong' });
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('incorrect username or password')]);
    expect(await daemon.ok(['login', '-u', 'me', '--password-stdin', closed.host], { input: `${password}\n` })).toBe('Login Succeeded');
    await daemon.ok(['push', '-q', name]);
    const auths = join(daemon.graph, 'auths');
    const modes = await runCommand(['stat', '-c', '%a', join(auths, 'aeskey'), join(auths, 'credentials.json')]);
    expect(modes.stdout).toBe('600\n600\n');
    expect(readFileSync(join(auths, 'credentials.json'), 'utf8') + daemon.log).not.toContain('horse');
    await daemon.ok(['rmi', name]);
    await daemon.stop();
    await daemon.start();
    await daemon.ok(['pull', '-q', name]);
    expect(await daemon.ok(['search', '--format', '{{.Name}}', `${closed.host}/mine`])).toBe(`${closed.host}/mine/app`);
    expect(await daemon.ok(['logout', closed.host])).toBe('Logout Succeeded');
    expect((await daemon.isula(['logout', closed.host])).stderr).toContain('Not logged in');
    expect((await daemon.isula(['pull', name])).stderr).toContain('pull access denied');
    using asked = daemon.terminal(['login', closed.host]);
    await asked.waitFor('Username: ');
    asked.write('me\n');
    await asked.waitFor('Password: ');
    asked.write(`${password}\n`);
    expect([await asked.end(), asked.stdout.includes('Login Succeeded'), asked.stdout.includes(password)]).toEqual([0, true, false]);
    await daemon.ok(['logout', closed.host]);
    await daemon.ok(['rmi', name]);
  });

  test('a terminal gets bars; Ctrl-C leaves nothing half-made, and the next pull goes on where it was', async () => {
    const sample = sampleImage(crypto.getRandomValues(new Uint8Array(60_000)));
    const layerPath = digestOf(sample.layer);
    let stalls = true;
    await using slow = await ScriptedRegistry.start((asked) => {
      if (!asked.path.endsWith(layerPath)) return serve(sample, asked);
      if (stalls) return { body: sample.layer, cutAfter: 40_000, stall: true };
      const from = Number(/^bytes=(\d+)-/.exec(asked.headers.get('range') ?? '')?.[1] ?? 0);
      const headers = { 'content-range': `bytes ${from}-${sample.layer.length - 1}/${sample.layer.length}` };
      return from === 0 ? { body: sample.layer } : { status: 206, headers, body: sample.layer.subarray(from) };
    });
    const name = `${slow.host}/bars:latest`;
    using cancelled = daemon.terminal(['pull', name], { rows: 30, cols: 100 });
    await cancelled.waitFor(': Downloading [');
    const partial = join(daemon.graph, 'blobs/partial', layerPath.slice('sha256:'.length));
    await waitUntil('the first part to be stored', () => existsSync(partial) && statSync(partial).size > 0);
    cancelled.write('\u0003');
    expect(await cancelled.end()).not.toBe(0);
    expect(await daemon.ok(['system', 'check'])).toBe('No problems found');
    expect((await daemon.isula(['inspect', name])).code).not.toBe(0);
    stalls = false;
    using pull = daemon.terminal(['pull', name], { rows: 30, cols: 100 });
    expect(await pull.end()).toBe(0);
    expect(pull.stdout).toContain('\u001b[2K');
    expect(pull.stdout).toContain(': Pull complete');
    expect(slow.requests.filter(({ path, headers }) => path.endsWith(layerPath) && headers.has('range'))).toHaveLength(1);
    await daemon.ok(['rmi', name]);
  });

  test('what is not there, or cannot be, is said clearly', async () => {
    const failure = async (...args: string[]): Promise<string> => {
      const { code, stderr } = await daemon.isula(args);
      expect(code).not.toBe(0);
      return stderr;
    };
    expect(await failure('pull', `${open.host}/team/app:absent`)).toContain('not found: manifest unknown');
    expect(await failure('pull', `${open.host}/UPPER`)).toContain('repository name must be lowercase');
    expect(await failure('pull', 'a:b:c')).toContain('invalid reference format');
    expect(await failure('pull', '127.0.0.1:1/x:1')).toContain('127.0.0.1:1');
    expect(await failure('push', `${open.host}/absent:1`)).toContain('An image does not exist locally with the tag');
    expect(await failure('pull', '-a', `${open.host}/team/app:1`)).toContain("tag can't be used with --all-tags/-a");
    expect(await failure('pull', '--platform', 'linux/s390x/x/y', `${open.host}/team/app:1`)).toContain('platform');
  });

  test.each(dockerClients())('%s pulls, pushes, logs in, saves and loads', async (client) => {
    const docker = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await daemon.docker(args, { client });
      expect([args[0], code, stderr]).toEqual([args[0], 0, code === 0 ? stderr : '']);
      return stdout;
    };
    const name = `${closed.host}/docker/app:1`;
    await docker('tag', 'busybox', name);
    expect(await docker('login', '-u', 'me', '-p', password, closed.host)).toContain('Login Succeeded');
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(await docker('push', name))?.[1];
    await docker('rmi', name);
    expect(await docker('pull', name)).toContain(`Digest: ${digest}`);
    const archive = join(dir, 'docker.tar');
    await docker('save', '-o', archive, name);
    await docker('rmi', name);
    expect(await docker('load', '-i', archive)).toContain(`Loaded image: ${name}`);
    expect(await docker('images', '--format', '{{.Repository}}:{{.Tag}}')).toContain(name);
    expect(await docker('image', 'inspect', '-f', '{{.Id}}', name)).toBe(`${String(at(await image('busybox'), 'Id'))}\n`);
    await docker('rmi', name);
    // Docker's client keeps what it was told: the daemon has not, and whoever comes without it is refused.
    await docker('logout', closed.host);
    expect((await daemon.docker(['pull', name], { client })).stderr).toContain('pull access denied');
    expect((await daemon.isula(['logout', closed.host])).stderr).toContain('Not logged in');
  });
});

test('archives: skopeo reads ours and writes what we load, compressed or not', async () => {
  const id = await makeImage('trip:1', 500_000);
  const ours = join(dir, 'ours.tar');
  await daemon.ok(['save', '-o', ours, 'trip:1', 'busybox']);
  const skopeo = async (from: string, to: string): Promise<void> => {
    const { code, stderr } = await runCommand(['skopeo', '--insecure-policy', 'copy', '-q', from, to]);
    expect([code, stderr]).toEqual([0, '']);
  };
  await skopeo(`docker-archive:${ours}:docker.io/library/trip:1`, `docker-archive:${dir}/trip.tar:trip:docker`);
  await skopeo(`oci-archive:${ours}:1`, `oci-archive:${dir}/oci.tar:docker.io/library/trip:oci`);
  for (const command of ['gzip -k', 'zstd -q', 'xz -0 -k']) Bun.spawnSync(['sh', '-c', `${command} ${dir}/trip.tar`]);
  await daemon.ok(['rmi', 'trip:1']);
  for (const suffix of ['', '.gz', '.zst', '.xz']) {
    expect(await daemon.ok(['load', '-i', join(dir, `trip.tar${suffix}`)])).toContain('Loaded image: trip:docker');
    expect(at(await image('trip:docker'), 'Id')).toBe(id);
    await daemon.ok(['rmi', 'trip:docker']);
  }
  expect(await daemon.ok(['load'], { input: Uint8Array.from(readFileSync(join(dir, 'oci.tar'))) })).toContain('Loaded image: trip:oci');
  expect(await daemon.ok(['load', '-q', '-i', join(dir, 'oci.tar'), '--tag', 'named:so'])).toBe('');
  expect(at(await image('named:so'), 'Id')).toBe(at(await image('trip:oci'), 'Id'));
  expect((await daemon.isula(['load', '-i', ours, '--tag', 'x:y'])).stderr).toContain('it has 2 images');
  expect((await daemon.isula(['load', '-i', '/etc/passwd'])).code).not.toBe(0);
  expect((await daemon.isula(['load'], { input: Uint8Array.from(tarOf({ 'manifest.json': '[]' })) })).stderr).toContain('it has no image');
  // Only files are written, where links lead to; what is no file stays what it is.
  Bun.spawnSync(['sh', '-c', `cd ${dir}; mknod null c 1 3; mkdir folder; echo old >old; ln -s old link`]);
  for (const [name, message] of [['null', 'must be a regular file'], ['folder', 'is a directory'], ['absent/x', 'no such file or directory']]) {
    const { code, stderr } = await daemon.isula(['save', '-o', join(dir, name ?? ''), 'busybox']);
    expect([name, code, stderr]).toEqual([name, 1, expect.stringContaining(message ?? '')]);
  }
  expect(statSync(join(dir, 'null')).isCharacterDevice()).toBe(true);
  await daemon.ok(['save', '-o', join(dir, 'link'), 'busybox']);
  expect([lstatSync(join(dir, 'link')).isSymbolicLink(), statSync(join(dir, 'old')).size > 1000]).toEqual([true, true]);
  await daemon.ok(['rmi', 'trip:oci', 'named:so']);
});

test('import from a URL, with a comment that says so; what the server cannot give is said', async () => {
  const tar = Uint8Array.from(readFileSync(join(daemon.dir, 'busybox.tar')));
  using server = Bun.serve({
    port: 0, hostname: '127.0.0.1',
    fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === '/root.tar.gz') return new Response(Bun.gzipSync(tar));
      if (pathname === '/moved') return Response.redirect('/root.tar.gz');
      if (pathname === '/page') return new Response('<html>');
      if (pathname === '/file') return new Response('', { status: 302, headers: { location: 'file:///etc/passwd' } });
      return new Response('', { status: 404 });
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  expect(await daemon.ok(['import', '-c', 'CMD ["echo", "far"]', `${url}/moved`, 'far:1'])).toMatch(/^sha256:[0-9a-f]{64}$/m);
  expect(await daemon.ok(['run', '--rm', 'far:1'])).toBe('far');
  expect(await daemon.ok(['history', '--format', '{{.Comment}}', 'far:1'])).toBe(`Imported from ${url}/moved`);
  expect(await daemon.ok(['history', '--format', '{{.Comment}}', 'busybox'])).toBe('Imported from -');
  const failures: [string, string][] = [
    ['absent', 'status 404'], ['file', 'no http(s) URL'], ['page', 'tar'],
  ];
  for (const [path, message] of failures) {
    const { code, stderr } = await daemon.isula(['import', `${url}/${path}`, 'far:2']);
    expect([path, code, stderr]).toEqual([path, 1, expect.stringContaining(message)]);
  }
  await daemon.ok(['rmi', 'far:1']);
  expect(await daemon.ok(['system', 'check'])).toBe('No problems found');
});

test('images -q tells names (table 1-26), and IDs of images without one', async () => {
  await daemon.ok(['tag', 'busybox', 'named:too']);
  await daemon.ok(['create', '--name', 'nameless', 'busybox', 'true']);
  const id = await daemon.ok(['commit', 'nameless']);
  expect((await daemon.ok(['images', '-q'])).split('\n')).toEqual(expect.arrayContaining([id.slice(7, 19), 'busybox:latest', 'named:too']));
  expect(at(await image(id), 'Parent')).toBe(at(await image('busybox'), 'Id'));
  await daemon.ok(['rm', 'nameless']);
  await daemon.ok(['rmi', id, 'named:too']);
});

test('several removals at once keep the last name of an image in use', async () => {
  await makeImage('in:0', 1000);
  await daemon.ok(['run', '-d', '--name', 'uses', 'in:0', 'sleep', '1000']);
  const names = ['in:1', 'in:2', 'in:3', 'in:4', 'in:5'];
  for (const name of names) await daemon.ok(['tag', 'in:0', name]);
  const { code, stderr } = await daemon.isula(['rmi', ...names, 'in:0']);
  expect([code, stderr]).toEqual([1, expect.stringContaining('must force')]);
  expect((await daemon.ok(['images', '--format', '{{.Ref}}'])).split('\n').filter((name) => name.startsWith('in:'))).toHaveLength(1);
  const id = String(at((await daemon.http('GET', '/containers/uses/json')).json(), 'Image'));
  expect((await daemon.isula(['rmi', '-f', id])).stderr).toContain('cannot be forced');
  await daemon.ok(['rm', '-f', 'uses']);
});

test('an untagged parent goes with its last child, unless --no-prune keeps it', async () => {
  const chain = async (): Promise<string> => {
    const parent = await makeImage('chain:parent', 100);
    await daemon.ok(['run', '--name', 'grows', 'chain:parent', 'touch', '/grown']);
    await daemon.ok(['commit', 'grows', 'chain:child']);
    await daemon.ok(['rm', 'grows']);
    // The child needs it: it only loses its name.
    await daemon.ok(['rmi', 'chain:parent']);
    return parent;
  };
  const isThere = async (id: string): Promise<boolean> => (await daemon.http('GET', `/images/${id}/json`)).status === 200;
  const kept = await chain();
  expect((await daemon.isula(['rmi', '-f', kept])).stderr).toContain('image has dependent child images');
  await daemon.ok(['rmi', '--no-prune', 'chain:child']);
  expect(await isThere(kept)).toBe(true);
  await daemon.ok(['rmi', kept.slice(7, 19)]);
  const pruned = await chain();
  await daemon.ok(['rmi', 'chain:child']);
  expect([await isThere(kept), await isThere(pruned)]).toEqual([false, false]);
  expect((await daemon.isula(['rmi', 'absent:1'])).stderr).toContain('No such image: absent:1');
});

test('the reference filter shows the names that match alone', async () => {
  for (const name of ['ref/a:1', 'ref/a:2', 'ref/b:1']) await daemon.ok(['tag', 'busybox', name]);
  const shown = async (...args: string[]): Promise<string[]> => (await daemon.ok(['images', '--format', '{{.Ref}}', ...args])).split('\n').toSorted();
  expect(await shown('ref/a')).toEqual(['ref/a:1', 'ref/a:2']);
  expect(await shown('ref/*:1')).toEqual(['ref/a:1', 'ref/b:1']);
  expect(await shown('-f', 'reference=ref/a:2', '-f', 'reference=ref/b')).toEqual(['ref/a:2', 'ref/b:1']);
  expect(await shown('-f', 'dangling=true')).toEqual(['']);
  await daemon.ok(['rmi', 'ref/a:1', 'ref/a:2', 'ref/b:1']);
});

describe('load --type embedded (guide 1.3.6.2)', () => {
  const manifestOf = (layers: unknown[]): string => JSON.stringify({
    schemaVersion: 1, mediaType: 'application/embedded.manifest+json', created: '2018-03-01T15:55:44.322987811Z', imageName: 'emb:v1',
    config: { env: ['A=1'], entrypoint: ['/bin/busybox'], workdir: '/' }, layers,
  });
  const write = (name: string, manifest: string): string => {
    mkdirSync(join(dir, 'emb'), { recursive: true });
    writeFileSync(join(dir, 'emb', `${name}.sgn`), digestOf(manifest));
    writeFileSync(join(dir, 'emb', `${name}.manifest`), manifest);
    return join(dir, 'emb', `${name}.manifest`);
  };

  test('refuses what it cannot do', async () => {
    const failure = async (...args: string[]): Promise<string> => (await daemon.isula(['load', '--type', 'embedded', ...args])).stderr;
    const host = write('host', manifestOf([{ mediaType: 'application/isulad.directory', size: 0, pathInHost: '/' }]));
    expect(await failure('-i', host)).not.toBe('');
    expect(await failure('-i', host, '--tag', 'x:y')).toContain("--tag can't be used");
    expect(await failure()).toContain('needs --input');
    rmSync(join(dir, 'emb/host.sgn'));
    expect(await failure('-i', host)).toContain("Manifest's signature file not exist");
  });

  const haveTools = existsSync('/usr/bin/mksquashfs') && existsSync('/dev/loop-control');
  test.skipIf(!haveTools)('loads, lists, inspects, runs and removes', async () => {
    const root = join(dir, 'root');
    mkdirSync(root);
    Bun.spawnSync(['sh', '-c', `cd ${root} && mkdir bin dev proc sys etc && cp /bin/busybox bin && mksquashfs . ${root}.img -quiet`]);
    const loop = await runCommand(['losetup', '-r', '-f', '--show', `${root}.img`]);
    if (loop.code !== 0) return;
    const device = loop.stdout.trim();
    try {
      const path = write('test', manifestOf([{ mediaType: 'application/squashfs.image.rootfs.diff.img', size: 0, pathInHost: device }]));
      expect(await daemon.ok(['load', '-i', path, '--type', 'embedded'])).toContain(`Load image from "${path}" success`);
      expect(await daemon.ok(['images', '--format', '{{.Ref}} {{.GuideCreated}}', 'emb'])).toStartWith('emb:v1 2018-03-01 ');
      expect(await daemon.ok(['inspect', '-f', '{{json .created}}', 'emb:v1'])).toBe('"2018-03-01T15:55:44.322987811Z"');
      expect(await daemon.ok(['run', '--rm', 'emb:v1', 'echo', 'runs'])).toBe('runs');
      await daemon.ok(['rmi', 'emb:v1']);
    } finally {
      await runCommand(['losetup', '-d', device]);
    }
  });
});
