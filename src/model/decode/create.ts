import type { ContainerCreateRequest, NetworkingConfig } from '../container.ts';
import { defaultHostConfig } from '../defaults.ts';
import { decodeContainerConfig } from './container-config.ts';
import { decodeHostConfig } from './host-config.ts';
import { JsonObject } from './json-object.ts';

type Endpoint = NetworkingConfig['EndpointsConfig'][string];

function decodeEndpoint(json: JsonObject): Endpoint {
  const endpoint: Endpoint = {};
  const ipam = json.object('IPAMConfig');
  if (ipam !== undefined) {
    const v4 = ipam.string('IPv4Address');
    const v6 = ipam.string('IPv6Address');
    endpoint.IPAMConfig = { ...(v4 !== '' && { IPv4Address: v4 }), ...(v6 !== '' && { IPv6Address: v6 }) };
  }
  const aliases = json.strings('Aliases');
  if (aliases.length > 0) endpoint.Aliases = aliases;
  const links = json.strings('Links');
  if (links.length > 0) endpoint.Links = links;
  const mac = json.string('MacAddress');
  if (mac !== '') endpoint.MacAddress = mac;
  return endpoint;
}

/**
 * The body of POST /containers/create (moby: ContainerCreateRequest): a ContainerConfig with HostConfig and NetworkingConfig
 * beside its fields. Only types are checked here; what the values mean is `validateCreate`'s to judge.
 * @throws invalidArgument naming the field of a wrong type; tooLarge beyond the limits of JsonObject.
 */
export function decodeCreateRequest(body: unknown, name: string, platform: string): ContainerCreateRequest {
  const json = new JsonObject(body, '');
  const host = json.object('HostConfig');
  const endpoints = json.object('NetworkingConfig')?.objectMap('EndpointsConfig') ?? [];
  return {
    name: name.startsWith('/') ? name.slice(1) : name,
    platform,
    config: decodeContainerConfig(body),
    hostConfig: host === undefined ? defaultHostConfig() : decodeHostConfig(host),
    networkingConfig: { EndpointsConfig: Object.fromEntries(endpoints.map(([network, endpoint]) => [network, decodeEndpoint(endpoint)])) },
  };
}
