import { equal, readFilters } from '../api/filters.ts';
import { describedBy } from '../api/names.ts';
import { Refusal } from '../api/refusal.ts';
import type { Handler } from '../api/call.ts';

/** A region of the cloud. */
interface Region {
  /** As in end points. */
  readonly region: string;
  /** As in DescribeRegions, which calls the older ones by a shorter name. */
  readonly name: string;
  readonly zones: readonly string[];
}

/** The regions and their zones (docs/reference/nifcloud-api.md §9). */
export const REGIONS: readonly Region[] = [
  { region: 'jp-east-1', name: 'east-1', zones: ['east-11', 'east-12', 'east-13', 'east-14'] },
  { region: 'jp-east-2', name: 'east-2', zones: ['east-21'] },
  { region: 'jp-east-3', name: 'east-3', zones: ['east-31'] },
  { region: 'jp-east-4', name: 'jp-east-4', zones: ['jp-east-41'] },
  { region: 'jp-west-1', name: 'west-1', zones: ['west-11', 'west-12', 'west-13'] },
  { region: 'jp-west-2', name: 'jp-west-2', zones: ['jp-west-21'] },
  { region: 'us-east-1', name: 'us-east-1', zones: ['us-east-11'] },
];

/** DescribeRegions. That jp-east-1 is the default is a guess; the names of filters are those of EC2, since the model has none. */
export const describeRegions: Handler = (call) => {
  const passes = readFilters<Region>(call.parameters, {
    'region-name': { texts: (region) => [region.name], by: equal },
    endpoint: { texts: (region) => [endpointOf(region)], by: equal },
  });
  const regions = describedBy(call, 'RegionName', {
    all: REGIONS,
    find: (name) => REGIONS.find((region) => region.name === name),
    unknown: (name) => new Refusal('Client.InvalidParameterNotFound.Region', `there is no region ${name}`),
  });
  return {
    regionInfo: {
      item: regions.filter(passes).map((region) => ({
        regionName: region.name,
        regionEndpoint: endpointOf(region),
        messageSet: undefined,
        isDefault: region.region === 'jp-east-1',
      })),
    },
  };
};

function endpointOf({ region }: Region): string {
  return `${region}.computing.api.nifcloud.com`;
}

/** DescribeAvailabilityZones: the zones of the fleet. The region's short name is a guess. */
export const describeAvailabilityZones: Handler = (call) => {
  const { world } = call;
  const zones = describedBy(call, 'ZoneName', {
    all: world.zones,
    find: (name) => world.zones.find((zone) => zone === name),
    unknown: noSuchZone,
  });
  const regionName = REGIONS.find(({ region }) => region === world.region)?.name;
  return {
    availabilityZoneInfo: {
      item: zones.map((zone) => ({
        zoneName: zone,
        zoneState: 'available',
        regionName,
        messageSet: undefined,
        securityGroupSupported: true,
        isDefault: zone === world.zones[0],
      })),
    },
  };
};

export function noSuchZone(zone: string | undefined): Refusal {
  return new Refusal('Client.InvalidParameterNotFound.AvailabilityZone', `there is no zone ${zone}`);
}
