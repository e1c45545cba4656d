/** `name[:tag]` apart; a digest belongs to the name. The daemon judges the grammar. */
export function splitTag(reference: string): { repository: string; tag: string } {
  const colon = reference.lastIndexOf(':');
  if (reference.includes('@') || colon < 0 || reference.indexOf('/', colon) >= 0) return { repository: reference, tag: '' };
  return { repository: reference.slice(0, colon), tag: reference.slice(colon + 1) };
}
