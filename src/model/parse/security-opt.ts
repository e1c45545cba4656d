import { cut, invalid, shown } from './invalid.ts';

export interface SecurityOptions {
  noNewPrivileges: boolean;
  /** `unconfined`, `builtin`, a path, or a profile's JSON text; undefined: the daemon's default. */
  seccomp: string | undefined;
  apparmor: string | undefined;
  /** `user:…`, `role:…`, `type:…`, `level:…`, `disable` (guide 1.3.9.3.3). */
  labels: string[];
  /** `systempaths=unconfined`: nothing masked, nothing read-only. */
  systemPathsUnconfined: boolean;
}

function checkLabel(label: string): void {
  if (label === 'disable') return;
  const { before, after } = cut(label, ':');
  if (!['user', 'role', 'type', 'level'].includes(before) || after === undefined || after === '') {
    throw invalid(`bad label option "${shown(label)}", valid options 'disable' or 'user, role, level, type' followed by ':' and a value`);
  }
}

/** The list of `--security-opt` (HostConfig.SecurityOpt); `key=value`, or the older `key:value`. A later option wins. */
export function parseSecurityOpts(options: readonly string[]): SecurityOptions {
  const result: SecurityOptions = { noNewPrivileges: false, seccomp: undefined, apparmor: undefined, labels: [], systemPathsUnconfined: false };
  for (const option of options) {
    if (option === 'no-new-privileges') {
      result.noNewPrivileges = true;
      continue;
    }
    if (option === 'disable') {
      result.labels.push('disable');
      continue;
    }
    const byEquals = cut(option, '=');
    const { before: key, after: value } = byEquals.after === undefined || byEquals.before.includes(':') ? cut(option, ':') : byEquals;
    if (value === undefined || value === '') throw invalid(`invalid --security-opt: "${shown(option)}"`);
    switch (key) {
      case 'label':
        checkLabel(value);
        result.labels.push(value);
        break;
      case 'seccomp':
        result.seccomp = value;
        break;
      case 'apparmor':
        result.apparmor = value;
        break;
      case 'no-new-privileges':
        if (value !== 'true' && value !== 'false') throw invalid(`invalid --security-opt: "${shown(option)}"`);
        result.noNewPrivileges = value === 'true';
        break;
      case 'systempaths':
        if (value !== 'unconfined') throw invalid(`invalid --security-opt: "${shown(option)}"`);
        result.systemPathsUnconfined = true;
        break;
      default:
        throw invalid(`invalid --security-opt: "${shown(option)}"`);
    }
  }
  return result;
}
