import { invalid, shown } from './invalid.ts';

/**
 * One record of comma-separated values as Go's encoding/csv reads it (RFC 4180): a field that starts with a quote ends with
 * one, a doubled quote inside stands for one, a bare quote elsewhere is an error.
 */
export function parseCsv(text: string): string[] {
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    if (text[at] === '"') {
      let field = '';
      let from = at + 1;
      for (;;) {
        const end = text.indexOf('"', from);
        if (end < 0) throw invalid(`parse error on line 1, column ${text.length + 1}: extraneous or missing " in quoted-field: ${shown(text)}`);
        field += text.slice(from, end);
        at = end + 1;
        if (text[at] !== '"') break;
        field += '"';
        from = at + 1;
      }
      if (at < text.length && text[at] !== ',') {
        throw invalid(`parse error on line 1, column ${at + 1}: extraneous or missing " in quoted-field: ${shown(text)}`);
      }
      fields.push(field);
    } else {
      const comma = text.indexOf(',', at);
      const field = text.slice(at, comma < 0 ? text.length : comma);
      const quote = field.indexOf('"');
      if (quote >= 0) throw invalid(`parse error on line 1, column ${at + quote + 1}: bare " in non-quoted-field: ${shown(text)}`);
      if (field.includes('\n')) throw invalid(`parse error on line 1: more than one line: ${shown(text)}`);
      fields.push(field);
      at += field.length;
    }
    if (at >= text.length) return fields;
    at++;
  }
}
