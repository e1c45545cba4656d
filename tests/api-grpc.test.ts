import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterAll, expect, setDefaultTimeout, test } from 'bun:test';
import { createServer as createHttpServer } from 'node:http';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parse } from 'protobufjs';
import { createConnectionHandler, WindowShim } from '../src/api/wire/index.ts';
import { asDigest, EngineError, silentLogger } from '../src/base/index.ts';
import type { ContainerSummary } from '../src/engine/index.ts';
import type { ImageRecord } from '../src/model/index.ts';
import { serve, type EngineParts } from './api-kit.ts';

/** Compiling grpc-go takes half a minute on two cores, once: the build cache is kept in /tmp. */
setDefaultTimeout(300_000);

const go = Bun.which('go') ?? (existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : undefined);
const hasGrpc = existsSync('/usr/share/gocode/src/google.golang.org/grpc');
// Needs Debian's golang-go and golang-google-grpc-dev; test.sh installs them where it can.
const withGo = test.skipIf(go === undefined || !hasGrpc);

const dir = mkdtempSync('/tmp/isula-grpc-');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Outcome {
  messages: number;
  bytes: number;
  first: string;
  status: string;
  message: string;
}

let built: Promise<string> | undefined;

/** Compiles the Go client once for the tests of this file. */
function goClient(): Promise<string> {
  built ??= (async () => {
    const binary = join(dir, 'grpc-client');
    const env = { ...process.env, GOPATH: '/usr/share/gocode', GO111MODULE: 'off', GOFLAGS: '', GOCACHE: '/tmp/isula-go-cache' };
    const build = Bun.spawn([go ?? 'go', 'build', '-o', binary, '.'], { cwd: join(import.meta.dir, 'go/grpc-client'), env, stderr: 'pipe' });
    const errors = await new Response(build.stderr).text();
    if ((await build.exited) !== 0) throw new Error(`Cannot build the Go client: ${errors}`);
    return binary;
  })();
  return built;
}

async function call(socket: string, method: string, request = '', authority = 'localhost'): Promise<Outcome> {
  const client = Bun.spawn([await goClient(), socket, method, request, authority], { stdout: 'pipe', stderr: 'pipe' });
  const [output, errors] = await Promise.all([new Response(client.stdout).text(), new Response(client.stderr).text()]);
  const match = /^(\d+) (\d+) "(.*?)" (\w+) "(.*)"\n$/.exec(output);
  if (match === null) throw new Error(`the Go client failed: ${output}${errors}`);
  const [, messages, bytes, first = '', status = '', message = ''] = match;
  return { messages: Number(messages), bytes: Number(bytes), first, status, message };
}

withGo('a default Go client receives 200 MB in messages of 1 MB (Bun gives streams wrong windows: fault 1)', async () => {
  const server = new Server();
  const same = (bytes: Buffer): Buffer => bytes;
  const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
  const message = Buffer.alloc(1024 * 1024, 'm');
  server.addService({ flood: { path: '/test.Flood/Get', requestStream: false, responseStream: true, ...codec } }, {
    flood: (stream: { write(bytes: Buffer): boolean; once(event: 'drain', go: () => void): void; end(): void }) => {
      let sent = 0;
      const pump = (): void => {
        while (sent < 200) {
          sent++;
          if (!stream.write(message)) {
            stream.once('drain', pump);
            return;
          }
        }
        stream.end();
      };
      pump();
    },
  });
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const handler = createConnectionHandler({
    http: createHttpServer(), grpc: (socket, head) => injector.injectConnection(new WindowShim(socket, head)), logger: silentLogger,
  });
  const path = join(dir, 'flood');
  const listener = createServer({ allowHalfOpen: true }, (socket) => handler.handle(socket));
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  try {
    const outcome = await call(path, '/test.Flood/Get');
    expect(outcome).toMatchObject({ messages: 200, bytes: 200 * 1024 * 1024, status: 'OK' });
  } finally {
    handler.close();
    injector.destroy();
    server.forceShutdown();
    listener.close();
  }
});

const imageId = asDigest(`sha256:${'a'.repeat(64)}`);
const image: ImageRecord = {
  id: imageId, repoTags: ['busybox:latest'], repoDigests: [`busybox@sha256:${'b'.repeat(64)}`], layers: [], size: 5_000_000_000,
  addedAt: 0, type: 'oci',
  config: { architecture: 'amd64', os: 'linux', config: { User: '1000:1000' }, rootfs: { type: 'layers', diff_ids: [] } },
};

function summary(name: string, state: string, labels: Record<string, string>): ContainerSummary {
  return {
    Id: name.padEnd(64, '0'), Names: [`/${name}`], Image: 'busybox', ImageID: imageId, Command: 'sh', Created: 1_700_000_000, Ports: [],
    Labels: labels, State: state, Status: '', HostConfig: { NetworkMode: 'none' }, NetworkSettings: { Networks: {} },
    Mounts: [], Pid: 1, ExitCode: 0, RestartCount: 0,
    StartedAt: '', FinishedAt: '', Runtime: 'lcr', Health: 'none',
  };
}

const parts: EngineParts = {
  containers: {
    list: async ({ filters }) => (filters.get('label')?.[0] === 'cri.isulad.type=podsandbox'
      ? [summary('k8s_POD_web_default_uid1_0', 'running', { 'cri.isulad.type': 'podsandbox', app: 'web' })]
      : [
        summary('k8s_nginx_web_default_uid1_2', 'running', { 'cri.isulad.type': 'container', 'cri.sandbox.id': 'sandbox1', app: 'web' }),
        summary('k8s_side_web_default_uid1_0', 'exited', { 'cri.isulad.type': 'container', 'cri.sandbox.id': 'sandbox1' }),
      ]),
  },
  images: {
    list: () => [image],
    resolve: (reference) => {
      if (reference === 'busybox' || reference === imageId) return image;
      throw new EngineError('notFound', `No such image: ${reference}`);
    },
  },
  system: {
    info: async () => ({ DockerRootDir: '/var/lib/isulad', Runtimes: { lcr: {}, kata: {} } }),
    diskUsage: () => Promise.reject(new EngineError('unavailable', 'Cannot measure: the store is closing')),
  },
};

/** The messages as a client of the interface knows them: an independent, partial description. */
const messages = parse(`syntax = "proto3"; package t;
message Version { string version = 1; string runtime_name = 2; string runtime_version = 3; string runtime_api_version = 4; }
message Images { repeated Image images = 1; }
message Image { string id = 1; repeated string repo_tags = 2; uint64 size = 4; Value uid = 5; }
message Value { int64 value = 1; }
message Status { message S { repeated Condition conditions = 1; } message Condition { string type = 1; bool status = 2; string reason = 3; }
  S status = 1; }
message Sandboxes { repeated Sandbox items = 1; }
message Sandbox { message M { string name = 1; string uid = 2; string namespace = 3; }
  M metadata = 2; int32 state = 3; int64 created_at = 4; map<string, string> labels = 5; }
message Containers { repeated Container containers = 1; }
message Container { message M { string name = 1; uint32 attempt = 2; }
  string pod_sandbox_id = 2; M metadata = 3; string image_ref = 5; int32 state = 6; }
message ContainerRequest { message State { int32 state = 1; } message F { State state = 2; } F filter = 1; }
message ImageRequest { message S { string image = 1; } S image = 1; }
message ImageAnswer { Image image = 1; }
`, { keepCase: true }).root;

function decode(name: string, hex: string): unknown {
  const type = messages.lookupType(`t.${name}`);
  return type.toObject(type.decode(Buffer.from(hex, 'hex')), { longs: Number, defaults: false });
}

function encode(name: string, value: object): string {
  const type = messages.lookupType(`t.${name}`);
  return Buffer.from(type.encode(type.fromObject(value)).finish()).toString('hex');
}

withGo('CRI: the thin end answers a Go client in both versions; what is not served says so; errors are statuses', async () => {
  await using server = await serve(parts);
  const ask = (method: string, request = ''): Promise<Outcome> => call(server.path, `/runtime.${method}`, request);

  for (const version of ['v1', 'v1alpha2']) {
    const answer = await ask(`${version}.RuntimeService/Version`);
    expect(decode('Version', answer.first)).toMatchObject({ version: '0.1.0', runtime_name: 'iSulad', runtime_api_version: version });
  }
  // What the kubelet sends up to 1.30: Bun's server refuses it, the shim makes a host of it.
  for (const authority of ['/var/run/isulad.sock', server.path, '/run/with space/~a@b+c$(x)']) {
    expect(await call(server.path, '/runtime.v1.RuntimeService/Version', '', authority)).toMatchObject({ status: 'OK', messages: 1 });
  }
  expect(decode('Status', (await ask('v1.RuntimeService/Status')).first)).toMatchObject({
    status: { conditions: [{ type: 'RuntimeReady', status: true }, { type: 'NetworkReady', reason: 'NetworkPluginNotReady' }] },
  });
  expect(decode('Images', (await ask('v1.ImageService/ListImages')).first)).toEqual({
    images: [{ id: imageId, repo_tags: ['busybox:latest'], size: 5_000_000_000, uid: { value: 1000 } }],
  });
  const found = await ask('v1.ImageService/ImageStatus', encode('ImageRequest', { image: { image: 'busybox' } }));
  expect(decode('ImageAnswer', found.first)).toMatchObject({ image: { id: imageId } });
  const missing = await ask('v1.ImageService/ImageStatus', encode('ImageRequest', { image: { image: 'nope' } }));
  expect([missing.status, missing.first]).toEqual(['OK', '']);
  expect(decode('Sandboxes', (await ask('v1.RuntimeService/ListPodSandbox')).first)).toEqual({
    items: [{
      metadata: { name: 'web', uid: 'uid1', namespace: 'default' }, state: 0, created_at: 1_700_000_000_000_000_000, labels: { app: 'web' },
    }],
  });
  const exited = await ask('v1.RuntimeService/ListContainers', encode('ContainerRequest', { filter: { state: { state: 2 } } }));
  expect(decode('Containers', exited.first)).toEqual({
    containers: [{ pod_sandbox_id: 'sandbox1', metadata: { name: 'side', attempt: 0 }, image_ref: image.repoDigests[0], state: 2 }],
  });
  const all = await ask('v1.RuntimeService/ListContainers');
  expect(decode('Containers', all.first)).toMatchObject({ containers: [{ metadata: { name: 'nginx', attempt: 2 }, state: 1 }, {}] });

  expect(await ask('v1.ImageService/ImageFsInfo')).toMatchObject({ status: 'Unavailable', message: 'Cannot measure: the store is closing' });
  const refused = await ask('v1.RuntimeService/RunPodSandbox');
  expect(refused).toMatchObject({ status: 'Unimplemented', message: 'CRI method RunPodSandbox is not supported by this release of iSulad' });
  expect((await ask('v1.RuntimeService/ListContainers', 'ffffffff')).status).toBe('InvalidArgument');
  // HTTP/1.1 on the same socket, meanwhile and after.
  expect(await (await server.fetch('GET', '/_ping')).text()).toBe('OK');
});
