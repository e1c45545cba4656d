import { type ApiClient, textAt } from '../client/index.ts';
import { showProgress } from './progress.ts';
import { splitTag } from './reference.ts';
import { print, printError } from './terminal/output.ts';

export interface PullOptions {
  reference: string;
  /** Every tag of the repository. */
  all: boolean;
  platform: string;
  quiet: boolean;
  /** Where progress goes: `run` keeps standard output for the container. */
  output: 1 | 2;
}

/** Pulls an image and reports it in the guide's words (1.3.6.1.3). */
export async function pullImage(client: ApiClient, options: PullOptions): Promise<void> {
  const { reference } = options;
  const { repository, tag } = splitTag(reference);
  const show = options.output === 1 ? print : printError;
  const digested = reference.includes('@');
  if (!options.quiet) show(`Image "${reference}" pulling\n`);
  const { body } = await client.open('POST', '/images/create', {
    query: { fromImage: repository, tag: options.all || digested ? undefined : tag || 'latest', platform: options.platform || undefined },
  });
  let digest = '';
  await showProgress(body, { quiet: options.quiet, output: options.output }, (message) => {
    digest = /^Digest: (sha256:[0-9a-f]{64})$/.exec(textAt(message, 'status'))?.[1] ?? digest;
  });
  if (options.quiet) {
    if (options.output === 1) show(`${reference}\n`);
  } else show(`Image "${digest === '' || digested || options.all ? reference : `${repository}@${digest}`}" pulled\n`);
}
