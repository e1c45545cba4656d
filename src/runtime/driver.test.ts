import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineError, isContainerId, newContainerId, newExecId, silentLogger } from '../base/index.ts';
import type { ContainerId, OutputSink } from '../base/index.ts';
import { cgroupDirs } from '../linux/index.ts';
import { defaultContainerConfig, defaultHostConfig, type ContainerConfig, type HostConfig } from '../model/index.ts';
import { Collector } from './collector-testing.ts';
import { execProcess, generateSpec, openRuntime, type RunningProcess, type RuntimeDriver } from './index.ts';

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
const canRun = process.getuid?.() === 0 && busybox !== undefined && Bun.which('conmon') !== null && Bun.which('runc') !== null;

function asId(text: string): ContainerId {
  if (!isContainerId(text)) throw new Error(`not an id: ${text}`);
  return text;
}

interface Running {
  id: ContainerId;
  bundle: string;
  process: RunningProcess;
  cgroupPath: string;
  exited: Promise<number>;
}

interface Wishes {
  args: string[];
  config?: Partial<ContainerConfig>;
  hostConfig?: Partial<HostConfig>;
  uid?: number;
}

const runtimesHere = ['lcr', 'runc'];

describe.skipIf(!canRun)('containers', () => {
  const top = mkdtempSync('/tmp/isula-runtime-');
  const rootfs = join(top, 'rootfs');
  let driver: RuntimeDriver;
  let watch: Disposable;
  const waiting = new Map<ContainerId, (code: number) => void>();

  beforeAll(async () => {
    for (const dir of ['bin', 'etc', 'tmp', 'proc', 'sys', 'dev']) mkdirSync(join(rootfs, dir), { recursive: true });
    copyFileSync(busybox ?? '', join(rootfs, 'bin/busybox'));
    for (const name of ['sh', 'cat', 'sleep', 'true', 'echo', 'id', 'head', 'dd', 'stty', 'grep', 'kill']) symlinkSync('busybox',
      join(rootfs, 'bin', name));
    writeFileSync(join(rootfs, 'bin/noexec'), 'x');
    writeFileSync(join(rootfs, 'bin/garbage'), 'neither\n');
    writeFileSync(join(rootfs, 'bin/noshell'), '#!/bin/nosuchshell\n');
    const foreign = Buffer.from(readFileSync(busybox ?? ''));
    foreign.writeUInt16LE(process.arch === 'arm64' ? 62 : 183, 18);
    writeFileSync(join(rootfs, 'bin/foreign'), foreign);
    for (const name of ['garbage', 'noshell', 'foreign']) chmodSync(join(rootfs, 'bin', name), 0o755);
    driver = await openRuntime({
      stateRoot: join(top, 'state'), graphRoot: join(top, 'graph'), logger: silentLogger, runtimes: {}, defaultRuntime: 'lcr',
    });
    watch = driver.watchExits((id) => {
      const exit = driver.readExit(id, join(top, 'state/bundles', id));
      waiting.get(id)?.(exit?.exitCode ?? -1);
    });
  });

  afterAll(async () => {
    watch[Symbol.dispose]();
    // What a failed test left.
    for (const id of readdirSync(join(top, 'state/bundles'))) await driver.remove(asId(id), 'lcr', join(top, 'state/bundles', id));
    rmSync(top, { recursive: true, force: true });
  });

  async function create(runtime: string, wishes: Wishes): Promise<Running> {
    const id = newContainerId();
    const bundle = join(top, 'state/bundles', id);
    const config = { ...defaultContainerConfig(), ...wishes.config };
    const exited = new Promise<number>((resolve) => waiting.set(id, resolve));
    const running = await driver.create({
      id, bundlePath: bundle, spec: specOf(id, wishes), runtime, openStdin: config.OpenStdin, stdinOnce: config.StdinOnce,
      logPath: join(top, `${id}.log`), logMaxBytes: undefined, timeoutMs: 60_000,
    });
    return { id, bundle, process: running, cgroupPath: `/isula-test/${id}`, exited };
  }

  function specOf(id: ContainerId, wishes: Wishes) {
    const config = { ...defaultContainerConfig(), ...wishes.config };
    const { spec } = generateSpec({
      id, config, hostConfig: { ...defaultHostConfig(), ...wishes.hostConfig }, imageConfig: undefined, rootfsPath: rootfs, args: wishes.args,
      env: ['PATH=/bin', 'TERM=xterm'], cwd: '/', hostname: 'box', identity: { uid: wishes.uid ?? 0, gid: wishes.uid ?? 0, additionalGids: [] },
      umask: 0o027, cgroupPath: `/isula-test/${id}`,
      namespaces: { network: { kind: 'private' }, ipc: { kind: 'private' }, pid: { kind: 'private' }, uts: { kind: 'private' },
        cgroup: { kind: 'host' } },
      mounts: [], etcFiles: { hosts: '', hostname: '', resolvConf: '' }, shmPath: undefined, hooks: undefined, idMaps: undefined,
      initPath: undefined, ulimits: [],
    }, driver.facts);
    return spec;
  }

  /** Removes it and checks that nothing is left. */
  async function remove(runtime: string, { id, bundle, cgroupPath, process: running }: Running): Promise<void> {
    await driver.remove(id, runtime, bundle);
    driver.clearExit(id);
    expect(cgroupDirs(driver.facts.cgroup, cgroupPath).filter((dir) => existsSync(dir))).toEqual([]);
    expect(driver.isAlive(running)).toBe(false);
    expect(existsSync(join(top, 'state/oci', runtime, id))).toBe(false);
    rmSync(bundle, { recursive: true, force: true });
  }

  function exec(container: Running, runtime: string, args: string[], sink: OutputSink | undefined, options: { tty?: boolean; stdin?: boolean } = {}) {
    const process = execProcess({
      config: defaultContainerConfig(), hostConfig: defaultHostConfig(), facts: driver.facts, identity: { uid: 0, gid: 0, additionalGids: [] },
      umask: 0o022, tty: options.tty ?? false, privileged: false, args, env: ['PATH=/bin'], cwd: '/',
    });
    return driver.exec({
      execId: newExecId(), containerId: container.id, bundlePath: container.bundle, runtime, process, openStdin: options.stdin ?? false, sink,
    });
  }

  for (const runtime of runtimesHere) {
    test(`${runtime}: output, exit code, seccomp, capabilities, umask, log; nothing is left`, async () => {
      const script = 'echo out; echo err >&2; umask; grep -E "Seccomp:|CapEff|NoNewPrivs" /proc/self/status; exit 7';
      const container = await create(runtime, { args: ['sh', '-c', script] });
      const sink = new Collector();
      const session = await driver.attach(container.bundle, sink, { stdin: false });
      await driver.start(container.id, runtime, container.bundle);
      expect(await container.exited).toBe(7);
      await session.closed;
      await sink.ended.promise;
      expect(sink.text[2]).toBe('err\n');
      expect(sink.text[1]).toContain('out\n0027\n');
      expect(sink.text[1]).toMatch(/Seccomp:\s+2/);
      expect(sink.text[1]).toMatch(/CapEff:\s+00000000a80425fb/);
      expect(readFileSync(join(top, `${container.id}.log`), 'utf8')).toMatch(/ stdout F out\n/);
      const exit = driver.readExit(container.id, container.bundle);
      expect(exit).toMatchObject({ exitCode: 7, oomKilled: false });
      await remove(runtime, container);
    }, 60_000);

    test(`${runtime}: stdin is binary safe and its end reaches the process`, async () => {
      const container = await create(runtime, { args: ['cat'], config: { OpenStdin: true, StdinOnce: true } });
      const received: Uint8Array[] = [];
      const sink: OutputSink = { write: (_stream, chunk) => void received.push(chunk.slice()), end() {}, fail() {} };
      const session = await driver.attach(container.bundle, sink, { stdin: true });
      await driver.start(container.id, runtime, container.bundle);
      const input = Buffer.alloc(1_000_003);
      for (let at = 0; at < input.length; at++) input[at] = (at * 7 + (at >> 8)) & 0xff;
      await session.writeInput(input);
      session.closeInput();
      expect(await container.exited).toBe(0);
      await session.closed;
      expect(Buffer.concat(received).equals(input)).toBe(true);
      await remove(runtime, container);
    }, 60_000);

    test(`${runtime}: a looker that leaves does not end stdin; two clients see the same`, async () => {
      const container = await create(runtime, { args: ['cat'], config: { OpenStdin: true, StdinOnce: true } });
      const [first, second, third] = [new Collector(), new Collector(), new Collector()];
      const looker = await driver.attach(container.bundle, first, { stdin: false });
      const owner = await driver.attach(container.bundle, second, { stdin: true });
      await driver.start(container.id, runtime, container.bundle);
      await owner.writeInput(Buffer.from('one\n'));
      await Promise.all([first.seen('one'), second.seen('one')]);
      looker.detach();
      await looker.closed;
      await driver.attach(container.bundle, third, { stdin: false });
      await owner.writeInput(Buffer.from('two\n'));
      await Promise.all([second.seen('two'), third.seen('two')]);
      expect(first.text[1]).toBe('one\n');
      owner.closeInput();
      expect(await container.exited).toBe(0);
      await remove(runtime, container);
    }, 60_000);

    test(`${runtime}: exec gives output, exit codes and errors with their status`, async () => {
      const container = await create(runtime, { args: ['sleep', '1000'] });
      await driver.start(container.id, runtime, container.bundle);
      const sink = new Collector();
      const handle = await exec(container, runtime, ['sh', '-c', 'echo a; echo b >&2; echo c > /dev/stdout; exit 5'], sink);
      expect(await handle.exit).toBe(5);
      await sink.ended.promise;
      expect(sink.text).toEqual({ 1: 'a\nc\n', 2: 'b\n' });
      const refused = async (args: string[]): Promise<unknown> => exec(container, runtime, args, new Collector()).then(() => undefined,
        (error: unknown) => error);
      expect(await refused(['nosuch'])).toMatchObject({ exitCode: 127,
        message: expect.stringContaining('exec: "nosuch": executable file not found in $PATH') });
      expect(await refused(['/bin/nosuch'])).toMatchObject({ exitCode: 127, message: expect.stringContaining('no such file or directory') });
      expect(await refused(['/bin/noexec'])).toMatchObject({ exitCode: 126, message: expect.stringContaining('permission denied') });
      expect(await refused(['/bin'])).toMatchObject({ exitCode: 126 });
      expect(await refused(['foreign'])).toMatchObject({ exitCode: 126, message: expect.stringContaining('exec format error: the program is for') });
      expect(await refused(['noshell'])).toMatchObject({ exitCode: 127, message: expect.stringContaining('/bin/nosuchshell') });
      expect(readdirSync(join(container.bundle, 'execs'))).toEqual([]);
      // Detached: nobody listens, the code comes all the same.
      const detached = await exec(container, runtime, ['sh', '-c', 'exit 9'], undefined);
      expect(await detached.exit).toBe(9);
      expect(driver.signal(container.process, 9)).toBe(true);
      expect(await container.exited).toBe(137);
      expect(driver.signal(container.process, 9)).toBe(false);
      await remove(runtime, container);
    }, 60_000);

    test(`${runtime}: exec moves much data both ways, and a client that leaves does not end it`, async () => {
      const container = await create(runtime, { args: ['sleep', '1000'] });
      await driver.start(container.id, runtime, container.bundle);
      const sink = new Collector(true);
      const handle = await exec(container, runtime, ['cat'], sink, { stdin: true });
      const chunk = Buffer.alloc(256 * 1024, 'x');
      for (let n = 0; n < 64; n++) await handle.session.writeInput(chunk);
      handle.session.closeInput();
      expect(await handle.exit).toBe(0);
      expect(sink.bytes).toBe(64 * chunk.length);
      const left = new Collector();
      const second = await exec(container, runtime, ['sh', '-c', 'echo ready; cat; echo more; exit 3'], left, { stdin: true });
      await left.seen('ready');
      second.session.detach();
      expect(await second.exit).toBe(3);
      expect(left.text[1]).toBe('ready\n');
      await driver.remove(container.id, runtime, container.bundle);
      await remove(runtime, container);
    }, 60_000);

    test(`${runtime}: a terminal: prompt, input, size, for the container and for exec`, async () => {
      const container = await create(runtime, { args: ['sh'], config: { OpenStdin: true, StdinOnce: true, Tty: true } });
      const sink = new Collector();
      const session = await driver.attach(container.bundle, sink, { stdin: true });
      await driver.start(container.id, runtime, container.bundle);
      await sink.seen('# ');
      await driver.resize(container.bundle, 33, 101);
      await driver.resize(container.bundle, 34, 102);
      await session.writeInput(Buffer.from('until stty size | grep "34 102"; do true; done; echo ok\n'));
      await sink.seen('34 102\r\nok');
      const inner = new Collector();
      const handle = await exec(container, runtime, ['sh'], inner, { tty: true, stdin: true });
      await inner.seen('# ');
      handle.resize(20, 40);
      await handle.session.writeInput(Buffer.from('until stty size | grep "20 40"; do true; done; exit 4\n'));
      expect(await handle.exit).toBe(4);
      expect(inner.text[1]).toContain('20 40\r\n');
      // The first client leaves, the next one can still type.
      session.detach();
      const again = await driver.attach(container.bundle, new Collector(), { stdin: true });
      await again.writeInput(Buffer.from('exit 6\n'));
      expect(await container.exited).toBe(6);
      await remove(runtime, container);
    }, 60_000);

    test(`${runtime}: what cannot start says why, and leaves nothing`, async () => {
      const before = readdirSync(join(top, 'state/bundles'));
      const refused = (args: string[]): Promise<unknown> => create(runtime, { args }).then(() => undefined, (error: unknown) => error);
      const expected: [string[], number, string][] = [
        [['nosuch'], 127, 'exec: "nosuch": executable file not found in $PATH'],
        [['/bin/nosuch'], 127, 'no such file or directory'],
        [['/bin/noexec'], 126, 'permission denied'],
        [['garbage'], 126, 'exec format error'],
        [['foreign'], 126, 'exec format error'],
        [['noshell'], 127, '/bin/nosuchshell'],
      ];
      for (const [args, exitCode, text] of expected) {
        const error = await refused(args);
        expect(error).toBeInstanceOf(EngineError);
        expect(error).toMatchObject({ exitCode, message: expect.stringContaining(text) });
      }
      for (const id of readdirSync(join(top, 'state/bundles'))) {
        expect(readdirSync(join(top, 'state/bundles', id))).toEqual([]);
        if (!before.includes(id)) expect(cgroupDirs(driver.facts.cgroup, `/isula-test/${id}`).filter((dir) => existsSync(dir))).toEqual([]);
      }
      expect(readdirSync(join(top, 'state/oci', runtime)).filter((name) => /^[0-9a-f]{64}$/.test(name))).toEqual([]);
      expect(readdirSync(join(top, 'state/exits'))).toEqual([]);
    }, 60_000);

    test(`${runtime}: limits, statistics, update, freeze`, async () => {
      const hostConfig = { Memory: 64 * 1024 * 1024, PidsLimit: 50, CpuShares: 512, NanoCpus: 5e8, Privileged: true };
      const container = await create(runtime, { args: ['sleep', '1000'], hostConfig });
      await driver.start(container.id, runtime, container.bundle);
      expect(driver.pids(container.cgroupPath)).toEqual([container.process.pid]);
      const stats = driver.readStats(container.cgroupPath);
      expect(stats).toMatchObject({ memoryLimit: 64 * 1024 * 1024, pidsLimit: 50 });
      expect(stats.pidsCurrent).toBeGreaterThan(0);
      await driver.updateResources(container.cgroupPath, { ...defaultHostConfig(), ...hostConfig, Memory: 128 * 1024 * 1024, PidsLimit: 60 });
      expect(driver.readStats(container.cgroupPath)).toMatchObject({ memoryLimit: 128 * 1024 * 1024, pidsLimit: 60 });
      const bad = { ...defaultHostConfig(), PidsLimit: 70, CpusetCpus: '4000', NanoCpus: 0 };
      expect(driver.updateResources(container.cgroupPath, bad)).rejects.toThrow('--cpuset-cpus');
      expect(driver.readStats(container.cgroupPath).pidsLimit).toBe(60);
      await driver.freeze(container.cgroupPath);
      expect(driver.isFrozen(container.cgroupPath)).toBe(true);
      await driver.thaw(container.cgroupPath);
      expect(driver.isFrozen(container.cgroupPath)).toBe(false);
      await driver.freeze(container.cgroupPath);
      driver.killAll(container.cgroupPath);
      expect(await container.exited).toBe(137);
      await remove(runtime, container);
    }, 60_000);
  }

  test('a create that hangs in a hook is given up, by time or by the caller, and leaves nothing', async () => {
    const hooks = { prestart: [{ path: '/bin/busybox', args: ['busybox', 'sleep', '4242'] }] };
    const abort = new AbortController();
    for (const limit of [{ timeoutMs: 200 }, { timeoutMs: 60_000, signal: abort.signal }]) {
      const id = newContainerId();
      const bundle = join(top, 'state/bundles', id);
      const spec = { ...specOf(id, { args: ['true'] }), hooks };
      const made = driver.create({ id, bundlePath: bundle, spec, runtime: 'lcr', openStdin: false, stdinOnce: false, logPath: undefined,
        logMaxBytes: undefined, ...limit });
      if ('signal' in limit) setTimeout(() => abort.abort(), 100);
      const error: unknown = await made.then(() => undefined, (reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'signal' in limit ? 'cancelled' : 'timeout' });
      expect(readdirSync(bundle)).toEqual([]);
      expect(cgroupDirs(driver.facts.cgroup, `/isula-test/${id}`).filter((dir) => existsSync(dir))).toEqual([]);
      expect(existsSync(join(top, 'state/oci/lcr', id))).toBe(false);
    }
  }, 60_000);

  test('another daemon takes a running container over', async () => {
    const container = await create('lcr', { args: ['cat'], config: { OpenStdin: true } });
    await driver.start(container.id, 'lcr', container.bundle);
    const next = await openRuntime({ stateRoot: join(top, 'state'), graphRoot: join(top, 'graph'), logger: silentLogger, runtimes: {},
      defaultRuntime: 'runc' });
    const seen = Promise.withResolvers<void>();
    const nextWatch = next.watchExits((id) => {
      if (id === container.id) seen.resolve();
    });
    expect(next.isAlive(container.process)).toBe(true);
    const sink = new Collector();
    const session = await next.attach(container.bundle, sink, { stdin: true });
    await session.writeInput(Buffer.from('hello\n'));
    await sink.seen('hello');
    expect(next.signal(container.process, 9)).toBe(true);
    await seen.promise;
    expect(next.readExit(container.id, container.bundle)?.exitCode).toBe(137);
    nextWatch[Symbol.dispose]();
    await container.exited;
    await remove('lcr', container);
  }, 60_000);

  test('a sink that waits holds the process back, and loses nothing', async () => {
    const container = await create('lcr', { args: ['sh', '-c', 'head -c 3000000 /dev/zero; echo done >&2'] });
    const gate = Promise.withResolvers<void>();
    let bytes = 0;
    let waiting = 0;
    const blocked = Promise.withResolvers<void>();
    const sink: OutputSink = {
      write(_stream, chunk) {
        bytes += chunk.length;
        waiting++;
        blocked.resolve();
        return gate.promise;
      },
      end() {},
      fail() {},
    };
    const session = await driver.attach(container.bundle, sink, { stdin: false });
    await driver.start(container.id, 'lcr', container.bundle);
    await blocked.promise;
    // The first write is not settled: no second one comes.
    await Bun.sleep(50);
    expect(waiting).toBe(1);
    gate.resolve();
    await session.closed;
    expect(bytes).toBe(3_000_000 + 'done\n'.length);
    await container.exited;
    await remove('lcr', container);
  }, 60_000);

  test('an OOM kill is seen', async () => {
    const hostConfig = { Memory: 16 * 1024 * 1024, MemorySwap: 16 * 1024 * 1024 };
    const container = await create('lcr', { args: ['sh', '-c', 'x=$(head -c 100000000 /dev/zero | busybox tr "\\0" x); echo never'], hostConfig });
    await driver.start(container.id, 'lcr', container.bundle);
    await container.exited;
    expect(driver.readExit(container.id, container.bundle)?.oomKilled).toBe(true);
    await remove('lcr', container);
  }, 60_000);

  test('names of runtimes', () => {
    for (const name of ['LCR', '']) expect(driver.resolveRuntime(name).name).toBe('lcr');
    expect(() => driver.resolveRuntime('kata')).toThrow('unknown or invalid runtime name: kata');
  });
});
