import { each, type Row } from './row.ts';
import { regions } from './sheet.ts';

const ALL = regions();
const HOST = '.computing.api.nifcloud.com';

const INFO = 'regionInfo.item';
const ZONES = 'availabilityZoneInfo.item';

/** docs/reference/nifcloud-api.md §7, §9. */
export const REGIONS: readonly Row[] = [
  {
    rule: 'all regions, older ones in the short form, with the host names of their APIs (§7, §9)',
    action: 'DescribeRegions',
    parameters: {},
    answer: {
      ...Object.fromEntries(
        ALL.flatMap(({ region, name }, at) => [
          [`${INFO}.${at}.regionName`, name],
          [`${INFO}.${at}.regionEndpoint`, `${region}${HOST}`],
        ]),
      ),
      [`${INFO}.${ALL.length}`]: undefined,
    },
    typed: ({ regions: calls }, signal) => calls.list(signal),
    returns: ALL.map(({ region, name }) => ({ name, endpoint: `${region}${HOST}` })),
  },
  {
    rule: 'a region by its short name (§9)',
    action: 'DescribeRegions',
    parameters: { 'RegionName.1': 'west-1' },
    answer: { [`${INFO}.0.regionName`]: 'west-1', [`${INFO}.1`]: undefined },
  },
  {
    rule: 'a region that does not exist (§1.6)',
    action: 'DescribeRegions',
    parameters: { 'RegionName.1': 'north-1' },
    refused: 'Client.InvalidParameterNotFound.Region',
  },
  {
    rule: 'the zones of the region, one of them the default (§7)',
    action: 'DescribeAvailabilityZones',
    parameters: {},
    answer: {
      [`${ZONES}.0.zoneName`]: 'east-11',
      [`${ZONES}.0.regionName`]: 'east-1',
      [`${ZONES}.0.zoneState`]: 'available',
      [`${ZONES}.0.securityGroupSupported`]: 'true',
      [`${ZONES}.0.isDefault`]: 'true',
      [`${ZONES}.1.zoneName`]: 'east-12',
      [`${ZONES}.1.isDefault`]: 'false',
      [`${ZONES}.2`]: undefined,
    },
    typed: ({ regions: calls }, signal) => calls.zones(signal),
    returns: [
      { name: 'east-11', regionName: 'east-1', state: 'available', isDefault: true, hasFirewallGroups: true },
      { name: 'east-12', isDefault: false },
    ],
  },
  ...each(ALL, ({ region, name, zones }) => ({
    rule: `the zones of ${region} (§9)`,
    fleet: {
      region,
      zones,
      ...Object.fromEntries(
        [
          'networks',
          'routers',
          'routeTables',
          'groups',
          'servers',
          'disks',
          'l4LoadBalancers',
          'elasticLoadBalancers',
        ].map((kind) => [kind, []]),
      ),
    },
    action: 'DescribeAvailabilityZones',
    parameters: {},
    answer: {
      ...Object.fromEntries(
        zones.flatMap((zone, at) => [
          [`${ZONES}.${at}.zoneName`, zone],
          [`${ZONES}.${at}.regionName`, name],
        ]),
      ),
      [`${ZONES}.${zones.length}`]: undefined,
    },
    typed: ({ regions: calls }, signal) => calls.zones(signal),
    returns: zones.map((zone) => ({ name: zone, regionName: name })),
  })),
  {
    rule: 'a zone of another region does not exist here (§9)',
    action: 'DescribeAvailabilityZones',
    parameters: { 'ZoneName.1': 'west-11' },
    refused: 'Client.InvalidParameterNotFound.AvailabilityZone',
  },
];
