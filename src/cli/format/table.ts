/** Columns as docker's tabwriter lays them out: each as wide as its longest cell and three
 * spaces, ten at least; the last is not padded. */
const gap = 3;
const columnMin = 10;

/** Cells a column, without a header of its own. Empty rows give an empty text. */
export function alignRows(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      // The last cell of a row does not widen its column (text/tabwriter: it is not tab-terminated).
      if (column < row.length - 1) widths[column] = Math.max(widths[column] ?? columnMin, displayWidth(cell) + gap);
    });
  }
  let text = '';
  for (const row of rows) {
    row.forEach((cell, column) => {
      text += column < row.length - 1 ? cell + ' '.repeat((widths[column] ?? 0) - displayWidth(cell)) : cell;
    });
    text += '\n';
  }
  return text;
}

function displayWidth(text: string): number {
  // Most cells are ASCII; Bun.stringWidth also knows wide characters.
  return /^[\x20-\x7e]*$/.test(text) ? text.length : Bun.stringWidth(text);
}

/** A word cut to so many characters, the last an ellipsis (docker's formatter.Ellipsis). */
export function ellipsis(text: string, max: number): string {
  const characters = [...text];
  return characters.length <= max ? text : `${characters.slice(0, max - 1).join('')}…`;
}
