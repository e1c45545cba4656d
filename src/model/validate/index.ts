export { validateCreate } from './create.ts';
export type { ValidationFacts } from './facts.ts';
export { validateUpdate } from './update.ts';
