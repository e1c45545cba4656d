import type { RestartPolicy, RestartPolicyName } from '../container.ts';
import { cut, invalid, shown } from './invalid.ts';

const names: readonly RestartPolicyName[] = ['no', 'always', 'on-failure', 'unless-stopped', 'on-reboot'];
/** Docker keeps the count in an int; more restarts than this are no limit at all. */
const maxRetries = 2 ** 31 - 1;

/** `''` is `no`. @throws invalidArgument with docker's words for an unknown name. */
export function restartPolicyName(name: string): RestartPolicyName {
  if (name === '') return 'no';
  const found = names.find((known) => known === name);
  if (found === undefined) {
    throw invalid(`invalid restart policy: unknown policy '${shown(name)}'; use one of ${names.map((known) => `'${known}'`).join(', ')}`);
  }
  return found;
}

/** `no`, `always`, `unless-stopped`, `on-reboot` or `on-failure[:max-retries]`. */
export function parseRestartPolicy(text: string): RestartPolicy {
  const { before, after } = cut(text, ':');
  if (after !== undefined && before === '') throw invalid('invalid restart policy format: no policy provided before colon');
  const Name = restartPolicyName(before);
  if (after === undefined || after === '') return { Name, MaximumRetryCount: 0 };
  if (!/^[+-]?[0-9]{1,10}$/.test(after)) throw invalid('invalid restart policy format: maximum retry count must be an integer');
  return checkRestartPolicy({ Name, MaximumRetryCount: Number(after) });
}

/** Docker's rules for the retry count. */
export function checkRestartPolicy(policy: RestartPolicy): RestartPolicy {
  const { Name, MaximumRetryCount: count } = policy;
  if (!Number.isInteger(count) || count > maxRetries) {
    throw invalid(`invalid restart policy: maximum retry count ${count} is not in 0..${maxRetries}`);
  }
  if (count !== 0 && Name !== 'on-failure') {
    const negative = count < 0 ? ' and cannot be negative' : '';
    throw invalid(`invalid restart policy: maximum retry count can only be used with 'on-failure'${negative}`);
  }
  if (count < 0) throw invalid('invalid restart policy: maximum retry count cannot be negative');
  return policy;
}
