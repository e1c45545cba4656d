import { EngineError } from '../../base/index.ts';
import { parseNetworkMode } from '../parse/namespace-mode.ts';
import { checkIpAddress, checkMacAddress, parseDnsOption, parseDnsSearch, parseDnsServer, parseExtraHost, parseNetwork } from '../parse/network.ts';
import { parseExpose, parsePublish } from '../parse/port.ts';
import type { ContainerOption, RequestDraft } from './types.ts';
import { hostList, hostSwitch, option } from './values.ts';

function setEndpointOption(key: string, value: string, { endpoint, config }: RequestDraft): void {
  switch (key) {
    case 'ip':
      endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv4Address: checkIpAddress(value, 4) };
      return;
    case 'ip6':
      endpoint.IPAMConfig = { ...endpoint.IPAMConfig, IPv6Address: checkIpAddress(value, 6) };
      return;
    case 'alias':
      endpoint.Aliases = [...endpoint.Aliases ?? [], value];
      return;
    case 'mac-address':
      config.MacAddress = checkMacAddress(value);
      return;
    default:
      throw new EngineError('unsupported', `option ${key} of --network is not supported`);
  }
}

function endpointOption(name: string, key: string, type: 'string' | 'list', help: string, aliases: string[] = []): ContainerOption {
  return option(name, type, help, (value, draft) => setEndpointOption(key, value, draft), { aliases });
}

/** Networks, names and ports. What needs a network of one's own is refused by `validateCreate` until there are networks. */
export const networkOptions: readonly ContainerOption[] = [
  option('network', 'list', 'Network: none, host or container:<name|id>', (value, draft) => {
    const { name, options } = parseNetwork(value);
    parseNetworkMode(name);
    const { NetworkMode: before } = draft.hostConfig;
    if (before !== '' && before !== name) throw new EngineError('unsupported', `more than one network is not supported: ${before} and ${name}`);
    draft.hostConfig.NetworkMode = name;
    for (const [key, setting] of options) setEndpointOption(key, setting, draft);
  }, { metavar: 'network', aliases: ['net'], values: ['none', 'host', 'container:'] }),
  endpointOption('network-alias', 'alias', 'list', 'Further name on a user network', ['net-alias']),
  endpointOption('ip', 'ip', 'string', 'IPv4 address on a user network'),
  endpointOption('ip6', 'ip6', 'string', 'IPv6 address on a user network'),
  endpointOption('mac-address', 'mac-address', 'string', 'MAC address of the container\'s interface'),
  endpointOption('link-local-ip', 'link-local-ip', 'list', 'Link-local address on a user network'),
  hostList('link', 'Links', 'Link to another container: name[:alias]'),
  hostList('add-host', 'ExtraHosts', 'Line of /etc/hosts: host:ip', parseExtraHost),
  hostList('dns', 'Dns', 'DNS server', parseDnsServer),
  hostList('dns-option', 'DnsOptions', 'Option of resolv.conf', parseDnsOption, { aliases: ['dns-opt'] }),
  hostList('dns-search', 'DnsSearch', 'Search domain; . for none', parseDnsSearch),
  option('expose', 'list', 'Port (or range) that the container serves: port[-port][/proto]', (value, { config }) => {
    config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(parseExpose(value).map((port) => [port, {}])) };
  }),
  option('publish', 'list', 'Publish a port: [[ip:][host-port]:]container-port[/proto]', (value, { config, hostConfig }) => {
    for (const { port, binding } of parsePublish(value)) {
      config.ExposedPorts = { ...config.ExposedPorts, [port]: {} };
      hostConfig.PortBindings[port] = [...hostConfig.PortBindings[port] ?? [], binding];
    }
  }, { short: 'p' }),
  hostSwitch('publish-all', 'PublishAllPorts', 'Publish every exposed port on a free one', { short: 'P' }),
];
