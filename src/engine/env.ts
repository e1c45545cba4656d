/**
 * Merges lists of `NAME=value`: a later list wins, in the place where the name first stood. A bare `NAME` removes the variable, as docker's
 * API has it.
 */
export function mergeEnv(...lists: readonly (readonly string[])[]): string[] {
  const merged = new Map<string, string | undefined>();
  for (const list of lists) {
    for (const entry of list) {
      const at = entry.indexOf('=', 1);
      merged.set(at < 0 ? entry : entry.slice(0, at), at < 0 ? undefined : entry);
    }
  }
  return [...merged.values()].filter((entry) => entry !== undefined);
}
