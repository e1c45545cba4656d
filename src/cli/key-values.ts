import { UsageError } from './flags/index.ts';

/** `key=value` flags as a map; a key alone has the empty value (docker's opts). @throws UsageError for an empty key. */
export function parseKeyValues(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(texts.map((text) => {
    const equals = text.indexOf('=');
    const key = equals < 0 ? text : text.slice(0, equals);
    if (key === '') throw new UsageError(`invalid argument "${text}": want key=value`);
    return [key, equals < 0 ? '' : text.slice(equals + 1)];
  }));
}
