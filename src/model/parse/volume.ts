import { invalid, shown } from './invalid.ts';
import { cleanPath } from './paths.ts';

export const propagations = ['private', 'rprivate', 'slave', 'rslave', 'shared', 'rshared'] as const;

/** One `-v`. A source that is no absolute path names a volume; an empty one is an anonymous volume. */
export interface VolumeSpec {
  source: string;
  /** Absolute, cleaned. */
  target: string;
  readOnly: boolean;
  /** Empty: the default, rprivate. */
  propagation: string;
  /** `z`: label shared by containers, `Z`: label of this one. */
  selinux: '' | 'z' | 'Z';
  /** Undefined: not said. */
  nocopy: boolean | undefined;
  /** The options as they were written, for inspect. */
  mode: string;
}

/** Volume names follow docker's rule for names. */
export function isVolumeName(name: string): boolean {
  return /^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$/.test(name);
}

type Mode = Pick<VolumeSpec, 'readOnly' | 'propagation' | 'selinux' | 'nocopy'>;

/** The comma-separated options behind the second colon; undefined when one is unknown or two contradict each other. */
function parseMode(text: string): Mode | undefined {
  const mode: Mode = { readOnly: false, propagation: '', selinux: '', nocopy: undefined };
  if (text === '') return mode;
  const seen = new Set<string>();
  for (const option of text.split(',')) {
    let kind: string;
    if (option === 'ro' || option === 'rw') {
      kind = 'access';
      mode.readOnly = option === 'ro';
    } else if (option === 'z' || option === 'Z') {
      kind = 'label';
      mode.selinux = option;
    } else if (option === 'nocopy' || option === 'copy') {
      kind = 'copy';
      mode.nocopy = option === 'nocopy';
    } else if (propagations.some((known) => known === option)) {
      kind = 'propagation';
      mode.propagation = option;
    } else if (option === 'consistent' || option === 'cached' || option === 'delegated') kind = 'consistency';
    else return undefined;
    if (seen.has(kind)) return undefined;
    seen.add(kind);
  }
  return mode;
}

/** @throws invalidArgument for a target that is not absolute, or is the root. */
export function checkMountTarget(target: string): string {
  if (!target.startsWith('/')) throw invalid(`invalid mount path: '${shown(target)}' mount path must be absolute`);
  const clean = cleanPath(target);
  if (clean === '/') throw invalid('invalid specification: destination can\'t be \'/\'');
  return clean;
}

/** `[source:]target[:options]` of `-v` and of HostConfig.Binds. A relative source with `./` is the caller's to make absolute. */
export function parseVolumeSpec(text: string): VolumeSpec {
  const bad = invalid(`invalid volume specification: '${shown(text)}'`);
  const parts = text.split(':', 5);
  const [first = '', second, third] = parts;
  if (first === '' || parts.length > 3) throw bad;
  if (second === undefined) return { source: '', target: checkMountTarget(first), ...emptyMode(), mode: '' };
  if (third === undefined && parseMode(second) !== undefined) throw bad;
  const mode = parseMode(third ?? '');
  if (mode === undefined) throw invalid(`invalid mode: ${shown(third ?? '')}`);
  const isPath = first.startsWith('/');
  if (!isPath && !isVolumeName(first)) {
    throw invalid(`invalid volume specification: '${shown(text)}': "${shown(first)}" includes invalid characters for a local volume name, `
      + 'only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path');
  }
  if (isPath && mode.nocopy !== undefined) throw invalid(`invalid mode: ${shown(third ?? '')}: nocopy is for volumes, not for host paths`);
  if (!isPath && mode.propagation !== '') throw invalid(`invalid mode: ${shown(third ?? '')}: propagation is for host paths, not for volumes`);
  return { source: isPath ? cleanPath(first) : first, target: checkMountTarget(second), ...mode, mode: third ?? '' };
}

function emptyMode(): Mode {
  return { readOnly: false, propagation: '', selinux: '', nocopy: undefined };
}

export function formatVolumeSpec(spec: VolumeSpec): string {
  return [spec.source, spec.target, spec.mode].filter((part) => part !== '').join(':');
}

/** `container[:ro|rw|z]` of `--volumes-from`. */
export function parseVolumesFrom(text: string): { container: string; mode: string; readOnly: boolean } {
  const at = text.indexOf(':');
  const container = at < 0 ? text : text.slice(0, at);
  if (container === '') throw invalid('volumes-from specification cannot be an empty string');
  const text2 = at < 0 ? '' : text.slice(at + 1);
  const mode = parseMode(text2);
  if (mode === undefined || mode.propagation !== '' || mode.nocopy !== undefined) throw invalid(`invalid mode: ${shown(text2)}`);
  return { container, mode: text2 === '' ? 'rw' : text2, readOnly: mode.readOnly };
}

/** Host directories whose SELinux labels must stay (guide 1.3.9.3.2). */
const neverRelabelled = new Set(['/', '/usr', '/etc', '/tmp', '/home', '/run', '/var', '/root']);

/** @throws invalidArgument for a (clean) path that `z` and `Z` must not touch. */
export function checkRelabel(path: string): void {
  if (neverRelabelled.has(path) || path.startsWith('/usr/')) throw invalid(`SELinux relabeling of ${shown(path)} is not allowed`);
}
