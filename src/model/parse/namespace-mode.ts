import { invalid, shown } from './invalid.ts';

/** Where a container's namespace comes from (guide 1.3.3.1). */
export type NamespaceMode =
  | { kind: 'default' }
  | { kind: 'none' }
  | { kind: 'host' }
  | { kind: 'private' }
  /** ipc only: its own, which others may join. */
  | { kind: 'shareable' }
  | { kind: 'container'; container: string }
  /** net only: a network by name. */
  | { kind: 'network'; name: string };

function sharedWith(text: string): string | undefined {
  return text.startsWith('container:') ? text.slice('container:'.length) : undefined;
}

function parseMode(text: string, words: readonly string[], message: string): NamespaceMode {
  const container = sharedWith(text);
  if (container !== undefined && container !== '' && words.includes('container')) return { kind: 'container', container };
  if (text === '') return { kind: 'default' };
  if (text === 'none' && words.includes('none')) return { kind: 'none' };
  if (text === 'host' && words.includes('host')) return { kind: 'host' };
  if (text === 'private' && words.includes('private')) return { kind: 'private' };
  if (text === 'shareable' && words.includes('shareable')) return { kind: 'shareable' };
  throw invalid(`${message}: ${shown(text)}`);
}

/** `--pid`: none (its own), private, host, container:x. */
export function parsePidMode(text: string): NamespaceMode {
  return parseMode(text, ['none', 'private', 'host', 'container'], 'invalid PID mode');
}

/** `--ipc`: none (its own, without /dev/shm), private, shareable, host, container:x. */
export function parseIpcMode(text: string): NamespaceMode {
  return parseMode(text, ['none', 'private', 'shareable', 'host', 'container'], 'invalid IPC mode');
}

/** `--uts`: none (its own), private, host, container:x. */
export function parseUtsMode(text: string): NamespaceMode {
  return parseMode(text, ['none', 'private', 'host', 'container'], 'invalid UTS mode');
}

/** `--userns`: host, private. */
export function parseUsernsMode(text: string): NamespaceMode {
  return parseMode(text, ['private', 'host'], 'invalid USER mode');
}

/** `--cgroupns`: host, private. */
export function parseCgroupnsMode(text: string): NamespaceMode {
  return parseMode(text, ['private', 'host'], 'invalid cgroup namespace mode');
}

/** `--network`: none, host, container:x, or a network's name; `default` and empty are the daemon's choice. */
export function parseNetworkMode(text: string): NamespaceMode {
  const container = sharedWith(text);
  if (container === '' || text === 'container') throw invalid('invalid network mode: invalid container format container:<name|id>');
  if (container !== undefined) return { kind: 'container', container };
  if (text === '' || text === 'default') return { kind: 'default' };
  if (text === 'none' || text === 'host') return { kind: text };
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(text)) throw invalid(`invalid network mode: ${shown(text)}`);
  return { kind: 'network', name: text };
}
