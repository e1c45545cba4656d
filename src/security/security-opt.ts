import { EngineError } from '../base/index.ts';

/** What --security-opt asks for (docker's grammar; `key=value` or the older `key:value`). */
export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** Undefined: the default profile. */
  seccomp: { kind: 'unconfined' } | { kind: 'builtin' } | { kind: 'file'; path: string } | { kind: 'json'; text: string } | undefined;
  /** Name of a loaded profile, or `unconfined`. */
  apparmor: string | undefined;
  /** user, role, type, level; undefined where not given. */
  selinux: { user?: string; role?: string; type?: string; level?: string; disable: boolean } | undefined;
  /** `systempaths=unconfined`: nothing of /proc and /sys is masked or read-only. */
  systemPathsUnconfined: boolean;
}

/** @throws invalidArgument for an option that is not known or has no value. */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  const found: SecurityOptions = {
    noNewPrivileges: false, seccomp: undefined, apparmor: undefined, selinux: undefined, systemPathsUnconfined: false,
  };
  for (const option of options) parseOne(option, found);
  return found;
}

function parseOne(option: string, found: SecurityOptions): void {
  const invalid = (): EngineError => new EngineError('invalidArgument', `invalid --security-opt: ${JSON.stringify(option.slice(0, 120))}`);
  if (option === 'no-new-privileges') {
    found.noNewPrivileges = true;
    return;
  }
  if (option === 'disable') {
    found.selinux = { ...found.selinux, disable: true };
    return;
  }
  const at = option.search(/[=:]/);
  if (at < 0) throw invalid();
  const value = option.slice(at + 1);
  if (value === '') throw invalid();
  switch (option.slice(0, at)) {
    case 'no-new-privileges':
      if (value !== 'true' && value !== 'false') throw invalid();
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
      found.selinux = parseLabel(value, found.selinux, invalid);
      break;
    case 'systempaths':
      if (value !== 'unconfined') throw invalid();
      found.systemPathsUnconfined = true;
      break;
    default:
      throw invalid();
  }
}

function parseLabel(value: string, before: SecurityOptions['selinux'], invalid: () => EngineError): NonNullable<SecurityOptions['selinux']> {
  const label = before ?? { disable: false };
  if (value === 'disable') return { ...label, disable: true };
  const [key, ...rest] = value.split(':');
  const text = rest.join(':');
  if (text === '' || !/^[\w.,:-]+$/.test(text)) throw invalid();
  if (key === 'user' || key === 'role' || key === 'type' || key === 'level') return { ...label, [key]: text };
  throw invalid();
}
