import { Refusal } from '../api/refusal.ts';
import type { Handler } from '../api/call.ts';

/**
 * The regions and their zones (docs/reference/nifcloud-api.md §9). `region` is the name in end points; DescribeRegions
 * calls the older ones by a shorter name.
 */
export const REGIONS: readonly { readonly region: string; readonly name: string; readonly zones: readonly string[] }[] =
  [
    { region: 'jp-east-1', name: 'east-1', zones: ['east-11', 'east-12', 'east-13', 'east-14'] },
    { region: 'jp-east-2', name: 'east-2', zones: ['east-21'] },
    { region: 'jp-east-3', name: 'east-3', zones: ['east-31'] },
    { region: 'jp-east-4', name: 'jp-east-4', zones: ['jp-east-41'] },
    { region: 'jp-west-1', name: 'west-1', zones: ['west-11', 'west-12', 'west-13'] },
    { region: 'jp-west-2', name: 'jp-west-2', zones: ['jp-west-21'] },
    { region: 'us-east-1', name: 'us-east-1', zones: ['us-east-11'] },
  ];

/** DescribeRegions. That jp-east-1 is the default is a guess. */
export const describeRegions: Handler = ({ parameters }) => {
  const names = parameters.list('RegionName');
  const unknown = names.find((name) => !REGIONS.some((region) => region.name === name));
  if (unknown !== undefined)
    throw new Refusal('Client.InvalidParameterNotFound.Region', `there is no region ${unknown}`);
  const wanted = REGIONS.filter((region) => names.length === 0 || names.includes(region.name));
  return {
    regionInfo: {
      item: wanted.map((region) => ({
        regionName: region.name,
        regionEndpoint: `${region.region}.computing.api.nifcloud.com`,
        messageSet: undefined,
        isDefault: region.region === 'jp-east-1',
      })),
    },
  };
};

/** DescribeAvailabilityZones: the zones of the fleet. The region's short name is a guess. */
export const describeAvailabilityZones: Handler = ({ parameters, world }) => {
  const names = parameters.list('ZoneName');
  const unknown = names.find((name) => !world.zones.includes(name));
  if (unknown !== undefined) {
    throw new Refusal('Client.InvalidParameterNotFound.AvailabilityZone', `there is no zone ${unknown}`);
  }
  const regionName = REGIONS.find((region) => region.region === world.region)?.name;
  return {
    availabilityZoneInfo: {
      item: world.zones
        .filter((zone) => names.length === 0 || names.includes(zone))
        .map((zone) => ({
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
