/** One challenge of a WWW-Authenticate header (RFC 9110, 11.6.1). Parameter names are lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const headerLengthMax = 8192;

/** Parses WWW-Authenticate; what is malformed ends the list. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = header.slice(0, headerLengthMax).trim();
  while (rest !== '') {
    const parameter = /^([\w!#$%&'*+.^`|~-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,\s*|$)/.exec(rest);
    const current = challenges.at(-1);
    if (parameter && current) {
      const [whole, name = '', quoted, bare] = parameter;
      current.parameters.set(name.toLowerCase(), quoted === undefined ? (bare ?? '') : quoted.replaceAll(/\\(.)/g, '$1'));
      rest = rest.slice(whole.length);
      continue;
    }
    const scheme = /^([\w!#$%&'*+.^`|~-]+)(?:\s+|,\s*|$)/.exec(rest);
    if (!scheme) break;
    const [whole, name = ''] = scheme;
    challenges.push({ scheme: name.toLowerCase(), parameters: new Map() });
    rest = rest.slice(whole.length);
  }
  return challenges;
}
