import { existsSync } from 'node:fs';
import { EngineError } from '../base/index.ts';
import {
  checkMountTarget, checkTmpfsOptions, parseBytes, parseVolumesFrom, parseVolumeSpec, propagations, type HostConfig, type MountRequest,
} from '../model/index.ts';
import type { VolumeService } from '../volumes/index.ts';
import type { MountPoint } from './types.ts';

/** Of one container. */
const mountsMax = 4096;

/** One mount of a container: decided when the container is made, stored with it (plain JSON), placed at every start. */
export interface PlannedMount {
  readonly type: 'bind' | 'volume' | 'tmpfs' | 'squashfs' | 'erofs';
  /** A host path, an image file, a volume's name; empty for tmpfs. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** `rprivate` … `rshared`; empty: rprivate. */
  readonly propagation: string;
  /** Further options for the runtime. */
  readonly options: readonly string[];
  /** The options as the user wrote them, for inspect. */
  readonly mode: string;
  readonly selinux: '' | 'z' | 'Z';
  /** `-v`: make the directory when the host has none. */
  readonly createSource: boolean;
  /** Fill an empty volume from the image. */
  readonly copyUp: boolean;
  /** A directory within the volume; empty: the volume. */
  readonly subpath: string;
  /** The volume was made for this container alone. */
  readonly anonymous: boolean;
  /** `--tmpfs`: docker's inspect does not list it among the mounts. */
  readonly hidden: boolean;
}

export interface MountPlan {
  /** Parents before children. */
  readonly mounts: readonly PlannedMount[];
  /** Names of the volumes that were made for this container alone. */
  readonly anonymousVolumes: readonly string[];
  /** To be called once the container's record refers to the volumes; till then nobody can remove them. */
  release(): void;
  /** The container is not made after all. */
  undo(): Promise<void>;
}

export interface PlanRequest {
  /** The container's id: anonymous volumes are its own. */
  readonly container: string;
  readonly hostConfig: HostConfig;
  /** Targets of anonymous volumes: the container's and its image's (`Config.Volumes`). */
  readonly volumes: readonly string[];
}

export interface PlanSources {
  readonly volumes: Pick<VolumeService, 'create' | 'pin' | 'releaseAnonymous'>;
  /** The stored mounts of another container (`--volumes-from`). @throws notFound */
  readonly mountsOf: (reference: string) => readonly PlannedMount[];
}

const plain = {
  source: '', readOnly: false, propagation: '', options: [], mode: '', selinux: '', createSource: false, copyUp: false, subpath: '',
  anonymous: false, hidden: false,
} as const;

/** A volume that is still to be made. */
interface VolumeWish {
  readonly name: string;
  readonly driver: string;
  readonly options: Record<string, string>;
  readonly labels: Record<string, string>;
}

type Draft = PlannedMount & { wish?: VolumeWish };

/**
 * Decides a container's mounts: those of other containers (`--volumes-from`), `-v` over them, `--mount` over both (guide
 * 1.3.1.3), `--tmpfs`, and anonymous volumes where nothing else is mounted. Volumes are made and held. Nothing is made when
 * anything is refused.
 */
export async function planMounts(request: PlanRequest, sources: PlanSources): Promise<MountPlan> {
  const drafts = [...draftMounts(request, sources).values()];
  if (drafts.length > mountsMax) throw new EngineError('invalidArgument', `Cannot make more than ${mountsMax} mounts in one container`);
  // Docker's order: by depth, so that no mount hides one that came before it.
  const depth = (mount: PlannedMount): number => mount.target.split('/').length;
  drafts.sort((a, b) => depth(a) - depth(b));
  const pins: Disposable[] = [];
  const mounts: PlannedMount[] = [];
  const anonymous: string[] = [];
  const release = (): void => {
    for (const pin of pins.splice(0)) pin[Symbol.dispose]();
  };
  const undo = async (): Promise<void> => {
    release();
    for (const name of anonymous.splice(0)) await sources.volumes.releaseAnonymous(name, true);
  };
  try {
    for (const { wish, ...mount } of drafts) {
      if (mount.type === 'volume' && mount.source !== '') pins.push(sources.volumes.pin(mount.source));
      if (wish === undefined) {
        mounts.push(mount);
        continue;
      }
      const volume = await sources.volumes.create(
        { Name: wish.name, Driver: wish.driver, DriverOpts: wish.options, Labels: wish.labels }, request.container,
      );
      if (mount.anonymous) {
        anonymous.push(volume.Name);
        pins.push(sources.volumes.pin(volume.Name));
      }
      mounts.push({ ...mount, source: volume.Name });
    }
  } catch (error) {
    await undo();
    throw error;
  }
  return { mounts, anonymousVolumes: [...anonymous], release, undo };
}

function draftMounts({ hostConfig, volumes }: PlanRequest, sources: PlanSources): Map<string, Draft> {
  const drafts = new Map<string, Draft>();
  for (const text of hostConfig.VolumesFrom) {
    const from = parseVolumesFrom(text);
    for (const mount of sources.mountsOf(from.container)) {
      if (mount.type !== 'tmpfs') drafts.set(mount.target, { ...mount, readOnly: mount.readOnly || from.readOnly, anonymous: false, copyUp: false });
    }
  }
  addDistinct(drafts, new Set(), hostConfig.Binds.map((text) => bindDraft(text, hostConfig.VolumeDriver)));
  const byMount = new Set<string>();
  addDistinct(drafts, byMount, hostConfig.Mounts.map(mountDraft));
  const said = new Set([...byMount, ...hostConfig.Binds.map((text) => parseVolumeSpec(text).target)]);
  addDistinct(drafts, said, Object.entries(hostConfig.Tmpfs).map(([target, options]) => tmpfsDraft(target, options)));
  for (const given of volumes) {
    const target = checkMountTarget(given);
    if (!drafts.has(target)) drafts.set(target, anonymousDraft(target, hostConfig.VolumeDriver));
  }
  return drafts;
}

/** Adds mounts over what other options asked for; two of one option on one place are a mistake. */
function addDistinct(drafts: Map<string, Draft>, seen: Set<string>, more: readonly Draft[]): void {
  for (const draft of more) {
    if (seen.has(draft.target)) throw new EngineError('invalidArgument', `Duplicate mount point: ${draft.target}`);
    seen.add(draft.target);
    drafts.set(draft.target, draft);
  }
}

function bindDraft(text: string, driver: string): Draft {
  const { source, target, readOnly, propagation, selinux, nocopy, mode } = parseVolumeSpec(text);
  const common = { ...plain, target, readOnly, propagation, selinux, mode };
  if (source.startsWith('/')) return { ...common, type: 'bind', source, createSource: true };
  const wish = { name: source, driver, options: {}, labels: {} };
  return { ...common, type: 'volume', source, copyUp: nocopy !== true, anonymous: source === '', wish };
}

function anonymousDraft(target: string, driver: string): Draft {
  return { ...plain, type: 'volume', target, copyUp: true, anonymous: true, wish: { name: '', driver, options: {}, labels: {} } };
}

function mountDraft(request: MountRequest): Draft {
  const bad = (message: string): EngineError => new EngineError('invalidArgument', `invalid mount config for type "${request.Type}": ${message}`);
  if (request.Target === '') throw bad('field Target must not be empty');
  const target = checkMountTarget(request.Target);
  const common = { ...plain, target, source: request.Source, readOnly: request.ReadOnly };
  switch (request.Type) {
    case 'bind': return bindMountDraft(request, common, bad);
    case 'volume': {
      const { NoCopy, Labels, DriverConfig, Subpath } = request.VolumeOptions ?? {};
      if (request.Source.includes('/')) throw bad(`invalid volume name ${JSON.stringify(request.Source.slice(0, 200))}`);
      if (request.Source === '' && (Subpath ?? '') !== '') throw bad('must not set Subpath when using anonymous volumes');
      const wish = { name: request.Source, driver: DriverConfig?.Name ?? '', options: { ...DriverConfig?.Options }, labels: { ...Labels } };
      const subpath = Subpath ?? '';
      return { ...common, type: 'volume', copyUp: NoCopy !== true && subpath === '', subpath, anonymous: request.Source === '', wish };
    }
    case 'tmpfs': {
      if (request.Source !== '') throw bad('field Source must not be specified');
      const { SizeBytes, Mode } = request.TmpfsOptions ?? {};
      const options = [...tmpfsDefaults];
      if (SizeBytes !== undefined && SizeBytes !== 0) options.push(`size=${SizeBytes}`);
      if (Mode !== undefined && Mode !== 0) options.push(`mode=${Mode.toString(8)}`);
      return { ...common, type: 'tmpfs', options };
    }
    case 'squashfs':
    case 'erofs':
      if (!request.Source.startsWith('/')) throw bad('field Source must be the absolute path of an image file');
      if (!existsSync(request.Source)) throw bad(`image file does not exist: ${request.Source}`);
      return { ...common, type: request.Type, readOnly: true };
    case 'image':
      throw new EngineError('unsupported', 'invalid mount config for type "image": mounts of images are not supported');
  }
}

function bindMountDraft(request: MountRequest, common: Omit<Draft, 'type'>, bad: (message: string) => EngineError): Draft {
  const { Propagation = '', NonRecursive, CreateMountpoint, Selinux } = request.BindOptions ?? {};
  if (request.Source === '') throw bad('field Source must not be empty');
  if (!request.Source.startsWith('/')) throw bad(`invalid mount path: '${request.Source.slice(0, 200)}' mount path must be absolute`);
  if (Propagation !== '' && !propagations.some((known) => known === Propagation)) throw bad(`invalid propagation mode: ${Propagation.slice(0, 80)}`);
  if (CreateMountpoint !== true && !existsSync(request.Source)) throw bad(`bind source path does not exist: ${request.Source}`);
  return {
    ...common, type: 'bind', propagation: Propagation, options: NonRecursive === true ? ['bind'] : [],
    createSource: CreateMountpoint === true, selinux: Selinux ?? '',
  };
}

/** What a tmpfs has unless the user says otherwise (docker). */
const tmpfsDefaults = ['noexec', 'nosuid', 'nodev'];
const opposite: Readonly<Record<string, string>> = { exec: 'noexec', suid: 'nosuid', dev: 'nodev' };

function tmpfsDraft(given: string, text: string): Draft {
  const target = checkMountTarget(given);
  checkTmpfsOptions(text);
  const asked = text.split(',').filter((option) => option !== '' && option !== 'defaults');
  const undone = asked.map((option) => opposite[option] ?? '');
  const options = [...tmpfsDefaults.filter((option) => !undone.includes(option) && !asked.includes(option)), ...asked.map(wholeSize)];
  const others = options.filter((option) => option !== 'ro' && option !== 'rw');
  return { ...plain, type: 'tmpfs', target, readOnly: asked.includes('ro'), options: others, mode: text, hidden: true };
}

/** The kernel knows no fractions and no `kb`. */
function wholeSize(option: string): string {
  if (!/^(?:size|nr_inodes)=/.test(option) || option.endsWith('%')) return option;
  const cut = option.indexOf('=') + 1;
  return option.slice(0, cut) + String(parseBytes(option.slice(cut)));
}

/** How inspect and ps show the mounts (moby: MountPoint); `pathOf`: a volume's directory. */
export function mountPointsOf(mounts: readonly PlannedMount[], pathOf: (volume: string) => string): MountPoint[] {
  return mounts.filter((mount) => !mount.hidden).map((mount) => {
    const common = { Destination: mount.target, Mode: mount.mode, RW: !mount.readOnly };
    if (mount.type === 'volume') {
      return { Type: 'volume', Name: mount.source, Source: pathOf(mount.source), ...common, Driver: 'local', Propagation: '' };
    }
    return { Type: mount.type, Source: mount.source, ...common, Propagation: mount.type === 'bind' ? mount.propagation || 'rprivate' : '' };
  });
}
