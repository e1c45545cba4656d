import { archiveRoutes } from './archive.ts';
import { containerRoutes } from './containers.ts';
import { containerStreamRoutes } from './container-streams.ts';
import { execRoutes } from './exec.ts';
import { imageRoutes } from './images.ts';
import { imageTransferRoutes } from './image-transfers.ts';
import { networkRoutes } from './networks.ts';
import { refusedRoutes } from './refused.ts';
import type { Route } from './router.ts';
import { systemRoutes } from './system.ts';
import { volumeRoutes } from './volumes.ts';

/** Every route of the API; of several that match, the first in this order serves. */
export const routes: readonly Route[] = [
  ...systemRoutes, ...containerRoutes, ...containerStreamRoutes, ...archiveRoutes, ...execRoutes, ...imageRoutes, ...imageTransferRoutes,
  ...volumeRoutes, ...networkRoutes, ...refusedRoutes,
];
