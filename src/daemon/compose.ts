import type { Socket } from 'node:net';
import { join } from 'node:path';
import { serveApi } from '../api/index.ts';
import { buildCommit, buildVersion, ensureDir, hostOwner } from '../base/index.ts';
import type { Logger } from '../base/index.ts';
import { loadHooks, openEngine } from '../engine/index.ts';
import type { Engine, EngineOptions } from '../engine/index.ts';
import { openImageService } from '../images/index.ts';
import { openRuntime } from '../runtime/index.ts';
import { StateDb } from '../state/index.ts';
import { openOverlay2 } from '../storage/index.ts';
import { readIdFiles, resolveUsernsRemap } from '../security/index.ts';
import { VolumeService } from '../volumes/index.ts';
import { ineffectiveOptions, type DaemonConfig } from './config/index.ts';

export interface ComposedDaemon {
  readonly engine: Engine;
  handleConnection(socket: Socket): void;
  /** Stops serving and lets open work end; containers go on. */
  close(): Promise<void>;
}

/** Chooses the implementations, hands them to the engine, and puts the API before it. */
export async function compose(config: DaemonConfig, logger: Logger): Promise<ComposedDaemon> {
  for (const name of ineffectiveOptions(config)) logger.warn(`Option ${name} has no effect: this release does not run CRI pods`);
  const idMaps = config.usernsRemap === '' ? undefined : resolveUsernsRemap(config.usernsRemap, readIdFiles());
  const owner = idMaps === undefined ? undefined : hostOwner(idMaps, { uid: 0, gid: 0 });
  // Docker's place: what is unpacked for one map serves no other.
  const graph = owner === undefined ? config.graph : join(config.graph, `${owner.uid}.${owner.gid}`);
  ensureDir(graph, 0o711);
  const options: EngineOptions = { ...engineOptions(config), graphRoot: graph, idMaps };
  ensureDir(join(config.state, 'bundles'), 0o711);
  const db = new StateDb(join(graph, 'isulad.db'));
  const snapshots = openOverlay2({ graphRoot: graph, options: config.storageOpts, owner, logger });
  const images = await openImageService({
    graphRoot: graph,
    db,
    snapshots,
    logger,
    ids: idMaps,
    options: {
      insecureRegistries: config.insecureRegistries,
      registryMirrors: config.registryMirrors,
      defaultHost: config.defaultHost,
      transformation: config.registryTransformation,
      useDecryptedKey: config.useDecryptedKey,
      insecureSkipVerify: config.insecureSkipVerifyEnforce,
      imageOptTimeoutMs: config.imageOptTimeoutMs,
      layerCheck: config.imageLayerCheck,
      maxConcurrentDownloads: config.maxConcurrentDownloads,
      maxConcurrentUploads: config.maxConcurrentUploads,
    },
  });
  const runtime = await openRuntime({
    stateRoot: config.state,
    graphRoot: graph,
    logger,
    runtimes: Object.fromEntries(Object.entries(config.runtimes).map(([name, { path, args }]) => [name, { path, args: [...args] }])),
    defaultRuntime: config.defaultRuntime,
    selinux: config.selinuxEnabled,
  });
  const volumes = new VolumeService({ graphRoot: graph, db, logger, rootOwner: owner });
  const engine = openEngine({ options, logger, db, snapshots, images, runtime, volumes });
  await engine.recover();
  const api = serveApi({ engine, logger });
  return {
    engine,
    handleConnection: (socket) => api.handleConnection(socket),
    async close() {
      await api.close();
      await engine.close();
      db[Symbol.dispose]();
    },
  };
}

function engineOptions(config: DaemonConfig): Omit<EngineOptions, 'graphRoot' | 'idMaps'> {
  return {
    stateRoot: config.state,
    cgroupParent: config.cgroupParent,
    defaultRuntime: config.defaultRuntime,
    umask: config.umask === 'normal' ? 0o022 : 0o027,
    startTimeoutMs: config.startTimeoutMs,
    defaultUlimits: config.defaultUlimits,
    containerLog: { Type: config.containerLogDriver, Config: { ...config.containerLogOpts } },
    defaultHooks: config.hookSpec === '' ? undefined : loadHooks(config.hookSpec),
    version: buildVersion,
    gitCommit: buildCommit,
    facts: {
      LogLevel: config.logLevel,
      ...proxyFacts(process.env),
      RegistryConfig: {
        InsecureRegistryCIDRs: [],
        IndexConfigs: {},
        Mirrors: [...config.registryMirrors],
        InsecureRegistries: [...config.insecureRegistries],
      },
      IndexServerAddress: config.defaultHost,
    },
  };
}

/** What the environment says of proxies, without their passwords (docker masks them alike). Read before the registry client takes it. */
function proxyFacts(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const read = (name: string): string => (env[name] ?? env[name.toLowerCase()] ?? '').replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/]*@/i, '$1xxxxx:xxxxx@');
  return { HttpProxy: read('HTTP_PROXY'), HttpsProxy: read('HTTPS_PROXY'), NoProxy: read('NO_PROXY') };
}
