import { invalid, shown } from './invalid.ts';

/** What --security-opt asks for (docker's grammar; `key=value` or the older `key:value`). */
export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** Undefined: the daemon's default profile. */
  seccomp: { kind: 'unconfined' } | { kind: 'builtin' } | { kind: 'file'; path: string } | { kind: 'json'; text: string } | undefined;
  /** Name of a loaded profile, or `unconfined`. */
  apparmor: string | undefined;
  /** Guide 1.3.9.3.3: user, role, type, level, undefined where not given. */
  selinux: { user?: string; role?: string; type?: string; level?: string; disable: boolean } | undefined;
  /** `systempaths=unconfined`: nothing of /proc and /sys is masked or read-only. */
  systemPathsUnconfined: boolean;
}

/** The list of `--security-opt` (HostConfig.SecurityOpt); a later option wins. @throws invalidArgument for an unknown one, or one without a value. */
export function parseSecurityOpts(options: readonly string[]): SecurityOptions {
  const found: SecurityOptions = {
    noNewPrivileges: false, seccomp: undefined, apparmor: undefined, selinux: undefined, systemPathsUnconfined: false,
  };
  for (const option of options) parseOne(option, found);
  return found;
}

function parseOne(option: string, found: SecurityOptions): void {
  const bad = invalid(`invalid --security-opt: "${shown(option)}"`);
  if (option === 'no-new-privileges') {
    found.noNewPrivileges = true;
    return;
  }
  if (option === 'disable') {
    found.selinux = { ...found.selinux, disable: true };
    return;
  }
  const at = option.search(/[=:]/);
  const value = option.slice(at + 1);
  if (at < 0 || value === '') throw bad;
  switch (option.slice(0, at)) {
    case 'no-new-privileges':
      if (value !== 'true' && value !== 'false') throw bad;
      found.noNewPrivileges = value === 'true';
      break;
    case 'seccomp':
      if (value === 'unconfined' || value === 'builtin') found.seccomp = { kind: value };
      else if (value.trimStart().startsWith('{')) found.seccomp = { kind: 'json', text: value };
      else found.seccomp = { kind: 'file', path: value };
      break;
    case 'apparmor':
      found.apparmor = value;
      break;
    case 'label':
      found.selinux = parseLabelOption(value, found.selinux ?? { disable: false });
      break;
    case 'systempaths':
      if (value !== 'unconfined') throw bad;
      found.systemPathsUnconfined = true;
      break;
    default:
      throw bad;
  }
}

function parseLabelOption(value: string, before: NonNullable<SecurityOptions['selinux']>): NonNullable<SecurityOptions['selinux']> {
  if (value === 'disable') return { ...before, disable: true };
  const [key = '', ...rest] = value.split(':');
  const text = rest.join(':');
  if (/^[\w.,:-]+$/.test(text) && (key === 'user' || key === 'role' || key === 'type' || key === 'level')) return { ...before, [key]: text };
  const words = 'valid options \'disable\' or \'user, role, level, type\' followed by \':\' and a value';
  throw invalid(`invalid --security-opt: bad label option "${shown(value)}", ${words}`);
}
