export { ineffectiveOptions } from './config.ts';
export type { DaemonConfig, HostAddress, RuntimeEntry } from './config.ts';
export { helpText, versionText } from './help.ts';
export { loadConfig, parseFlags } from './load.ts';
