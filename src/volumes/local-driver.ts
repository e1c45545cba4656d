import { EngineError, messageOf } from '../base/index.ts';
import {
  bindMount, mount, mountOf, MS_BIND, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY, MS_REC, readMounts, umount, MNT_DETACH,
} from '../linux/index.ts';

/** The options of docker's local driver. */
const knownOptions: ReadonlySet<string> = new Set(['type', 'o', 'device', 'size']);
/** Which option asks for which. */
const required: readonly (readonly [string, readonly string[]])[] = [['type', ['device']], ['device', ['type']], ['o', ['device', 'type']]];
const optionsLengthMax = 4096;

const MS_SYNCHRONOUS = 16;
const MS_NOATIME = 1024;
const MS_NODIRATIME = 2048;
const MS_RELATIME = 1 << 21;

/** mount(8) options that are flags of mount(2); all others are the file system's. */
const flagOf: Readonly<Record<string, number>> = {
  ro: MS_RDONLY, rw: 0, nosuid: MS_NOSUID, suid: 0, nodev: MS_NODEV, dev: 0, noexec: MS_NOEXEC, exec: 0, sync: MS_SYNCHRONOUS, async: 0,
  noatime: MS_NOATIME, nodiratime: MS_NODIRATIME, relatime: MS_RELATIME, bind: MS_BIND, rbind: MS_BIND | MS_REC, defaults: 0,
};

/** File systems that need a helper program to reach their server. */
const networkTypes: ReadonlySet<string> = new Set(['nfs', 'nfs4', 'cifs', 'smb3', 'smbfs', 'ceph', 'glusterfs']);

/** @throws invalidArgument in docker's words, unsupported for what this driver cannot mount. */
export function checkDriverOptions(options: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!knownOptions.has(name)) throw new EngineError('invalidArgument', `invalid option: "${name.slice(0, 80)}"`);
    if (value.length > optionsLengthMax || value.includes('\0')) {
      throw new EngineError('invalidArgument', `invalid option: "${name}": longer than ${optionsLengthMax} characters or not text`);
    }
  }
  if (options['size'] !== undefined) throw new EngineError('unsupported', 'quota size requested but no quota support');
  for (const [name, others] of required) {
    const missing = options[name] === undefined ? undefined : others.find((other) => options[other] === undefined);
    if (missing !== undefined) throw new EngineError('invalidArgument', `missing required option: "${missing}"`);
  }
  const type = options['type'] ?? '';
  if (networkTypes.has(type)) {
    throw new EngineError('unsupported', `Cannot use a volume of type ${type}: mount it on the host and bind that directory`);
  }
  const flags = splitOptions(options['o'] ?? '').flags;
  if ((flags & MS_BIND) !== 0 && !(options['device'] ?? '').startsWith('/')) {
    throw new EngineError('invalidArgument', `invalid device "${(options['device'] ?? '').slice(0, 80)}": a bind needs an absolute path`);
  }
}

function splitOptions(text: string): { flags: number; data: string } {
  let flags = 0;
  const data: string[] = [];
  for (const option of text.split(',')) {
    if (option === '') continue;
    const flag = Object.hasOwn(flagOf, option) ? flagOf[option] : undefined;
    if (flag === undefined) data.push(option);
    else flags |= flag;
  }
  return { flags, data: data.join(',') };
}

/** True when the options say that something is mounted where the volume's data is. */
export function needsMount(options: Readonly<Record<string, string>> | null): boolean {
  return options !== null && options['device'] !== undefined;
}

/** Mounts a volume as its options say; no error when it is mounted already. */
export function mountVolume(path: string, options: Readonly<Record<string, string>>): void {
  if (isVolumeMounted(path)) return;
  const device = options['device'] ?? '';
  const type = options['type'] ?? '';
  const { flags, data } = splitOptions(options['o'] ?? '');
  try {
    if ((flags & MS_BIND) !== 0) bindMount(device, path, flags & ~MS_BIND);
    else mount(device, path, type, flags, data);
  } catch (error) {
    throw new EngineError(
      'internal',
      `error while mounting volume '${path}': failed to mount local volume: mount ${device}:${path}, data: ${data}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

export function unmountVolume(path: string): void {
  // Containers keep what they have of it in their own mount namespaces.
  if (isVolumeMounted(path)) umount(path, MNT_DETACH);
}

export function isVolumeMounted(path: string): boolean {
  return mountOf(path, readMounts())?.mountPoint === path;
}
