/** A value inside a JSON document: `at(document, 'State', 'Pid')`; undefined where the path leads nowhere. */
export function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let current = value;
  for (const step of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = Array.isArray(current) && step === 'length' ? current.length : new Map(Object.entries(current)).get(String(step));
  }
  return current;
}
