import { EngineError } from '../../base/index.ts';
import type { ContainerCreateRequest } from '../container.ts';
import { invalid, shown } from '../parse/invalid.ts';
import { parseNetworkMode } from '../parse/namespace-mode.ts';
import { checkMacAddress, parseDnsOption, parseDnsSearch, parseDnsServer, parseExtraHost } from '../parse/network.ts';
import { parseExpose, parsePublish } from '../parse/port.ts';

/** Until there are networks of the user's own. */
function refuse(what: string): never {
  throw new EngineError('unsupported', `${what} is not supported: only the networks none, host and container:<name|id> are there`);
}

/** Rules for sharing another container's network: it brings its own names, ports and resolver. */
function checkSharedNetwork({ config, hostConfig }: ContainerCreateRequest): void {
  if (config.Hostname !== '') throw invalid('conflicting options: hostname and the network mode');
  if (hostConfig.Links.length > 0) {
    throw invalid('conflicting options: container type network can\'t be used with links. This would result in undefined behavior');
  }
  if (hostConfig.Dns.length > 0) throw invalid('conflicting options: dns and the network mode');
  if (hostConfig.ExtraHosts.length > 0) throw invalid('conflicting options: custom host-to-IP mapping and the network mode');
  if (Object.keys(hostConfig.PortBindings).length > 0 || hostConfig.PublishAllPorts) {
    throw invalid('conflicting options: port publishing and the container type network mode');
  }
  if (Object.keys(config.ExposedPorts ?? {}).length > 0) throw invalid('conflicting options: port exposing and the container type network mode');
  if (config.MacAddress !== undefined) throw invalid('conflicting options: mac-address and the network mode');
}

function checkPorts({ config, hostConfig }: ContainerCreateRequest): void {
  for (const port of Object.keys(config.ExposedPorts ?? {})) parseExpose(port);
  for (const [port, bindings] of Object.entries(hostConfig.PortBindings)) {
    if (!/^[0-9]/.test(port)) throw invalid(`invalid port specification: "${shown(port)}"`);
    for (const { HostIp, HostPort } of bindings) parsePublish(`${HostIp === '' ? '' : `[${HostIp}]:`}${HostPort}:${port}`);
  }
}

function checkEndpoints({ config, networkingConfig, hostConfig }: ContainerCreateRequest): void {
  if (hostConfig.Links.length > 0) refuse('--link');
  if (config.MacAddress !== undefined) {
    checkMacAddress(config.MacAddress);
    refuse('--mac-address');
  }
  for (const [network, endpoint] of Object.entries(networkingConfig.EndpointsConfig)) {
    const mode = parseNetworkMode(network);
    if (mode.kind === 'network') refuse(`network ${shown(network)}`);
    if (endpoint.IPAMConfig?.IPv4Address !== undefined) refuse('--ip');
    if (endpoint.IPAMConfig?.IPv6Address !== undefined) refuse('--ip6');
    if ((endpoint.Aliases ?? []).length > 0) refuse('--network-alias');
    if ((endpoint.Links ?? []).length > 0) refuse('--link');
    if (endpoint.MacAddress !== undefined) refuse('--mac-address');
  }
}

/** The network side of a request. Gives warnings. */
export function checkNetworking(request: ContainerCreateRequest): string[] {
  const { hostConfig } = request;
  const mode = parseNetworkMode(hostConfig.NetworkMode);
  if (mode.kind === 'container') checkSharedNetwork(request);
  if (mode.kind === 'network') refuse(`network ${shown(mode.name)}`);
  checkPorts(request);
  for (const server of hostConfig.Dns) parseDnsServer(server);
  for (const option of hostConfig.DnsOptions) parseDnsOption(option);
  for (const domain of hostConfig.DnsSearch) parseDnsSearch(domain);
  for (const host of hostConfig.ExtraHosts) {
    if (parseExtraHost(host).endsWith(':host-gateway')) refuse('host-gateway in --add-host');
  }
  checkEndpoints(request);
  const publishes = Object.keys(hostConfig.PortBindings).length > 0 || hostConfig.PublishAllPorts;
  if (!publishes) return [];
  if (mode.kind === 'host') return ['Published ports are discarded when using host network mode'];
  return refuse('publishing ports');
}
