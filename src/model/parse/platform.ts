import { invalid, shown } from './invalid.ts';

/** Other names of architectures, and the variant that some of them mean. */
const aliases: Readonly<Record<string, readonly [architecture: string, variant?: string]>> = {
  x86_64: ['amd64'], 'x86-64': ['amd64'], aarch64: ['arm64'], armhf: ['arm', 'v7'], armel: ['arm', 'v6'], i386: ['386'],
};

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
  const normal = (name: string): { architecture: string; variant: string | undefined } => {
    const [architecture, implied] = (Object.hasOwn(aliases, name) ? aliases[name] : undefined) ?? [name];
    return { architecture, variant: variant ?? implied };
  };
  if (second !== undefined) return { os: first, ...normal(second) };
  return first === 'linux' || first === 'windows' || first === 'darwin' || first === 'freebsd'
    ? { os: first, architecture: hostArchitecture, variant: undefined }
    : { os: 'linux', ...normal(first) };
}
