/** RLIM_INFINITY of setrlimit(2) on 64-bit: 2^64-1, which no JavaScript number holds. */
const rlimInfinity = '18446744073709551615';
/** What JSON.stringify leaves in the place of Infinity; the NUL keeps it apart from all text that a configuration can hold. */
const placeholder = '\0Infinity';

/** The JSON text of a specification or a process document, with Infinity written as the runtimes want it. */
export function ociJson(document: object): string {
  const text = JSON.stringify(document, (_key, value: unknown) => (value === Infinity ? placeholder : value));
  return text.replaceAll(JSON.stringify(placeholder), rlimInfinity);
}
