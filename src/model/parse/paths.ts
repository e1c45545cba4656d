/** A path without `.`, `..`, doubled and trailing slashes (Go: path.Clean). */
export function cleanPath(path: string): string {
  const absolute = path.startsWith('/');
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !absolute) parts.push(part);
  }
  return absolute ? `/${parts.join('/')}` : parts.join('/') || '.';
}

/** True for a relative path that stays below where it starts (Go: filepath.IsLocal). */
export function isLocalPath(path: string): boolean {
  return path !== '' && !path.startsWith('/') && !/^\.\.(?:\/|$)/.test(cleanPath(path));
}
