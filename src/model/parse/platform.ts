import { invalid, shown } from './invalid.ts';

const architectures: Record<string, string> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', armhf: 'arm', armel: 'arm', i386: '386' };

export interface PlatformSpec {
  os: string;
  architecture: string;
  variant: string | undefined;
}

/** `os[/architecture[/variant]]` of `--platform`; an architecture alone is one of Linux. `hostArchitecture` fills what is missing. */
export function parsePlatform(text: string, hostArchitecture: string): PlatformSpec {
  const parts = text.toLowerCase().split('/', 5);
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_][a-z0-9_.-]*$/.test(part))) {
    throw invalid(`"${shown(text)}" is an invalid platform: platform specifier component must match "^[A-Za-z0-9_.-]+$"`);
  }
  const [first = '', second, variant] = parts;
  const normal = (name: string): string => (Object.hasOwn(architectures, name) ? architectures[name] ?? name : name);
  if (second !== undefined) return { os: first, architecture: normal(second), variant };
  return first === 'linux' || first === 'windows' || first === 'darwin' || first === 'freebsd'
    ? { os: first, architecture: hostArchitecture, variant: undefined }
    : { os: 'linux', architecture: normal(first), variant: undefined };
}
