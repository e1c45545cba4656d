import { show, toJson, typeName } from './value.ts';

/** A width beyond this is a mistake or an attack. */
const widthMax = 10_000;

/** Go's fmt.Sprintf for the verbs that formats use: %s %d %v %q %t %x %X %o %b %c %f %e %g %T %U %%. */
export function sprintf(format: string, args: readonly unknown[]): string {
  let next = 0;
  const star = (text: string | undefined): number | undefined => {
    if (text === undefined || text === '') return undefined;
    const value = text === '*' ? args[next++] : Number(text);
    return typeof value === 'number' ? Math.max(-widthMax, Math.min(widthMax, Math.trunc(value))) : undefined;
  };
  let text = format.replace(/%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?(.)?/gsu, (
    _all, flags: string, width: string | undefined, precision: string | undefined, verb: string | undefined
  ) => {
    if (verb === undefined) return '%!(NOVERB)';
    if (verb === '%') return '%';
    const wide = star(width);
    const precise = precision === '' ? 0 : star(precision);
    if (next >= args.length) return `%!${verb}(MISSING)`;
    const body = one(verb, flags, precise, args[next++]);
    return pad(body, wide, flags, verb);
  });
  if (next < args.length) text += `%!(EXTRA ${args.slice(next).map((value) => `${typeName(value)}=${show(value)}`).join(', ')})`;
  return text;
}

function pad(body: string, width: number | undefined, flags: string, verb: string): string {
  if (width === undefined) return body;
  const size = Math.abs(width);
  if (flags.includes('-') || width < 0) return body.padEnd(size);
  if (flags.includes('0') && /[dxXobfeEgG]/.test(verb)) {
    const sign = /^[+-]/.exec(body)?.[0] ?? '';
    return sign + body.slice(sign.length).padStart(size - sign.length, '0');
  }
  return body.padStart(size);
}

function one(verb: string, flags: string, precision: number | undefined, value: unknown): string {
  const bad = (): string => `%!${verb}(${typeName(value)}=${show(value)})`;
  const signed = (text: string): string => (
    flags.includes('+') && !text.startsWith('-') ? `+${text}` : flags.includes(' ') && !text.startsWith('-') ? ` ${text}` : text
  );
  const cut = (text: string): string => (precision === undefined ? text : [...text].slice(0, precision).join(''));
  switch (verb) {
    case 'v':
      return typeof value === 'number' ? signed(show(value)) : flags.includes('#') ? toJson(value) : show(value);
    case 's':
      return typeof value === 'number' || typeof value === 'boolean' ? bad() : cut(show(value));
    case 'q':
      if (typeof value === 'number') return `'${String.fromCodePoint(Math.max(0, Math.min(0x10ffff, Math.trunc(value))))}'`;
      return typeof value === 'boolean' ? bad() : typeof value === 'string' ? JSON.stringify(cut(value)) : show(value, true);
    case 't':
      return typeof value === 'boolean' ? String(value) : bad();
    case 'd':
      return typeof value === 'number' && Number.isInteger(value) ? signed(show(value)) : bad();
    case 'x':
    case 'X': {
      let text: string;
      if (typeof value === 'string') text = Buffer.from(value).toString('hex');
      else if (typeof value === 'number' && Number.isInteger(value)) text = (flags.includes('#') ? '0x' : '') + value.toString(16);
      else return bad();
      return verb === 'X' ? text.toUpperCase() : text;
    }
    case 'o':
    case 'b':
      return typeof value === 'number' && Number.isInteger(value) ? signed(value.toString(verb === 'o' ? 8 : 2)) : bad();
    case 'c':
    case 'U':
      if (typeof value !== 'number' || value < 0 || value > 0x10ffff) return bad();
      return verb === 'c' ? String.fromCodePoint(value) : `U+${value.toString(16).toUpperCase().padStart(4, '0')}`;
    case 'f':
    case 'F':
      return typeof value === 'number' ? signed(value.toFixed(Math.min(precision ?? 6, 100))) : bad();
    case 'e':
    case 'E':
      return typeof value === 'number' ? signed(value.toExponential(Math.min(precision ?? 6, 100)).replace(/e([+-])(\d)$/, `${verb}$10$2`)) : bad();
    case 'g':
    case 'G':
      return typeof value === 'number' ? signed(
        precision === undefined ? show(value) : String(Number(value.toPrecision(Math.max(1, Math.min(precision, 100))))),
      ) : bad();
    case 'T':
      return typeName(value);
    default:
      return bad();
  }
}
