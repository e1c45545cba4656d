/** The options of create, run and update: one table for parsing, help, completion, manual and meaning. */
import type { ContainerCreateRequest, ResourceUpdate } from '../container.ts';
import { buildRequest, buildResourceUpdate } from './build.ts';
import type { OptionValues } from './build.ts';
import { clientOptions } from './client.ts';
import { healthOptions } from './health.ts';
import { isolationOptions } from './isolation.ts';
import { networkOptions } from './network.ts';
import { processOptions } from './process.ts';
import { resourceOptions } from './resources.ts';
import { storageOptions } from './storage.ts';
import { systemContainerOptions } from './system-container.ts';
import type { ClientOptions, ContainerOption, OptionCommand, OptionContext } from './types.ts';

export type { OptionValues } from './build.ts';
export type { ClientOptions, ContainerOption, OptionCommand, OptionContext, PullPolicy, StandardStream } from './types.ts';

const allOptions: readonly ContainerOption[] = [
  ...processOptions, ...resourceOptions, ...isolationOptions, ...storageOptions, ...networkOptions, ...healthOptions, ...systemContainerOptions,
  ...clientOptions,
];

/** The options that one command takes. */
export function containerOptions(command: OptionCommand): ContainerOption[] {
  return allOptions.filter((option) => option.appliesTo.includes(command));
}

/**
 * The API request of `isula create|run OPTIONS IMAGE COMMAND…`, and what the client itself has to do.
 * @throws invalidArgument in docker's words, unsupported.
 */
export function buildCreateRequest(
  values: OptionValues, image: string, command: readonly string[], context: OptionContext,
): { request: ContainerCreateRequest; clientOptions: ClientOptions } {
  return buildRequest(allOptions, values, image, command, context);
}

/** The body of `isula update OPTIONS`. @throws invalidArgument, unsupported. */
export function buildUpdate(values: OptionValues): ResourceUpdate {
  return buildResourceUpdate(containerOptions('update'), values);
}
