import { buildCommit, buildVersion } from '../../base/index.ts';
import { daemonOptions } from './options.ts';

/** `isulad --help`, in the guide's layout (1.2.3.1). */
export function helpText(): string {
  const rows = daemonOptions.filter(({ name }) => name !== '').map(({ name, short, help }) => {
    const left = short === undefined ? `      --${name}` : `  -${short}, --${name}`;
    return `${left.padEnd(43)}${help}`;
  });
  return `isulad

lightweight container runtime daemon

Usage:  isulad [global options]

GLOBAL OPTIONS:

${rows.join('\n')}
`;
}

/** `isulad -V`. */
export function versionText(): string {
  return `Version ${buildVersion}, commit ${buildCommit}\n`;
}
