import { buildVersion, isRecord } from '../../base/index.ts';
import type { Engine } from '../../engine/index.ts';
import type { JsonObject } from '../../model/index.ts';

/** The kubelet's own version of the interface's negotiation; every runtime answers with it. */
const kubeletApiVersion = '0.1.0';

export function version(apiVersion: string): Record<string, unknown> {
  return { version: kubeletApiVersion, runtime_name: 'iSulad', runtime_version: buildVersion, runtime_api_version: apiVersion };
}

export async function status(engine: Engine, request: JsonObject): Promise<Record<string, unknown>> {
  const info = await engine.system.info();
  const handlers = isRecord(info['Runtimes']) ? Object.keys(info['Runtimes']) : [];
  return {
    status: {
      conditions: [
        { type: 'RuntimeReady', status: true, reason: '', message: '' },
        { type: 'NetworkReady', status: false, reason: 'NetworkPluginNotReady', message: 'pod networks are not supported by this release of iSulad' },
      ],
    },
    info: request.boolean('verbose') ? { config: JSON.stringify(info) } : {},
    // The empty name is the default handler.
    runtime_handlers: ['', ...handlers].map((name) => ({ name })),
  };
}
